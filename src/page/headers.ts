import type { PageAccess } from './session.ts';

/** Of helmet, for every answer: our own scripts and styles alone, in no frame, and no address goes elsewhere. */
export function securityHeaders({ tls }: Pick<PageAccess, 'tls'>) {
  return {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    // Addresses carry OOIs.
    referrerPolicy: { policy: 'no-referrer' as const },
    xFrameOptions: { action: 'deny' as const },
    // Without TLS it means nothing, and behind a proxy the proxy sets it.
    strictTransportSecurity: tls !== null,
  };
}

/** Of an answer that no hook sees: an address that is none. */
export const bareHeaders = {
  'content-security-policy': "default-src 'none';frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;
