package io.millrace.inference.store;

import io.millrace.schemas.AdapterVersion;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.List;

/**
 * A version in the local store, without its tensors.
 *
 * @param sha256 hash of its payload, which identifies it
 * @param parentSha256 hash of the version before it; null for version 1
 * @param labels in the order of the logits
 * @param steps training steps from the base model to it
 * @param examples examples trained on from the base model to it
 * @param createdAt when the trainer made it
 * @param signature the signature of its publisher, see {@link
 *     io.millrace.schemas.signing.AdapterSigner}; null where there is none
 */
public record StoredVersion(
    String domain,
    long version,
    String sha256,
    String parentSha256,
    List<String> labels,
    long steps,
    long examples,
    Instant createdAt,
    ByteBuffer signature) {

  public static StoredVersion of(AdapterVersion adapter) {
    return new StoredVersion(
        adapter.getDomain(),
        adapter.getVersion(),
        adapter.getSha256(),
        adapter.getParentSha256(),
        List.copyOf(adapter.getLabels()),
        adapter.getSteps(),
        adapter.getExamples(),
        adapter.getCreatedAt(),
        adapter.getSignature());
  }
}
