/** Says why a fault cannot be played here: that is no breach. */
export class Unable extends Error {}
