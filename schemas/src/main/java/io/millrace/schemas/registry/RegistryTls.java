package io.millrace.schemas.registry;

import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;

/**
 * How to speak TLS with a registry.
 *
 * @param context the certificates that are trusted, and the one that is shown
 * @param parameters protocols, ciphers and whether the certificate must be the host's
 */
public record RegistryTls(SSLContext context, SSLParameters parameters) {}
