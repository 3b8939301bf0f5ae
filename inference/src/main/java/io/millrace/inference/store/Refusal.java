package io.millrace.inference.store;

import java.time.Instant;

/**
 * A version that does not serve, and why.
 *
 * @param sha256 what the version called itself
 * @param reason one line
 */
public record Refusal(String domain, long version, String sha256, String reason, Instant at) {}
