package io.millrace.inference.store;

import java.time.Instant;

/**
 * A version that was refused.
 *
 * @param sha256 the hash in its record, which its payload need not have
 * @param reason why, in one line
 */
public record Refusal(String domain, long version, String sha256, String reason, Instant at) {}
