declare module 'murmurhash3js-revisited' {
  const murmurhash: { x64: { hash128(bytes: Uint8Array, seed?: number): string } };
  export default murmurhash;
}
