package io.millrace.inference.serving;

import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.StoredVersion;
import io.millrace.schemas.signing.PayloadHash;
import io.millrace.schemas.signing.TrustedKeys;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.adapter.Classifier;
import io.millrace.svft.adapter.Merge;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Makes a classifier of a version in the store, after all checks: the payload hashes to the
 * version's name; a trusted key has signed that, if there are trusted keys; payload and record
 * agree; and the adapter's values are finite and fit the base model and its basis.
 */
public final class AdapterLoader {
  private final AdapterStore store;
  private final BaseModel base;
  private final TrustedKeys trusted;

  /** Checks no signatures. */
  public AdapterLoader(AdapterStore store, BaseModel base) {
    this(store, base, TrustedKeys.NOT_CHECKED);
  }

  public AdapterLoader(AdapterStore store, BaseModel base, TrustedKeys trusted) {
    this.store = store;
    this.base = base;
    this.trusted = trusted;
  }

  /**
   * Loads a version, with M apart from the weights.
   *
   * @return to be closed by the caller
   * @throws RefusedException where a check fails
   */
  Classifier load(StoredVersion version) throws RefusedException {
    try {
      return new Classifier(base, read(version));
    } catch (AdapterException e) {
      throw new RefusedException(e.getMessage());
    } catch (RuntimeException e) {
      throw new RefusedException("it cannot be loaded: " + e.getMessage(), e);
    }
  }

  /**
   * The base model without an adapter, as a classifier: its head is the identity, so its logits are
   * the vector of the text.
   *
   * @return to be closed by the caller
   */
  Classifier loadBase() {
    int hidden = base.config().hidden();
    float[] identity = new float[hidden * (hidden + 1)];
    for (int i = 0; i < hidden; i++) {
      identity[i * (hidden + 1) + i] = 1;
    }
    return new Classifier(
        base,
        new Adapter(
            "",
            1,
            "",
            base.name(),
            base.baseSha256(),
            base.basisSha256(),
            AdapterMethod.parse("head"),
            base.config(),
            IntStream.range(0, hidden).mapToObj(String::valueOf).toList(),
            new int[0],
            new float[0],
            identity,
            0,
            0));
  }

  /** Begins to merge an adapter that was loaded here into the weights. */
  Merge merge(Adapter adapter) {
    return new Merge(base, adapter);
  }

  /** Bytes of the weights of one merged version. */
  long mergedBytes() {
    return base.config().weights().stream()
        .mapToLong(weight -> (long) Float.BYTES * weight.out() * weight.in())
        .sum();
  }

  private Adapter read(StoredVersion version) throws RefusedException {
    byte[] payload =
        store
            .payload(version.domain(), version.version())
            .orElseThrow(() -> new RefusedException("the local store lost its payload"));
    requireHash(payload, version.sha256());
    requireTrust(trusted, version.sha256(), version.signature());
    Adapter adapter = Adapter.fromPayload(payload);
    requireSame("domain", version.domain(), adapter.domain());
    requireSame("version", version.version(), adapter.version());
    String parent = Objects.requireNonNullElse(version.parentSha256(), "");
    requireSame("parent", parent, adapter.parentSha256());
    if (!version.labels().equals(adapter.labels()) || adapter.labels().isEmpty()) {
      throw new RefusedException("its labels are not those in its payload, or there are none");
    }
    return adapter;
  }

  /**
   * Checks that a payload hashes to the name of its version.
   *
   * @param sha256 lower-case hexadecimal
   * @throws RefusedException where it does not
   */
  public static void requireHash(byte[] payload, String sha256) throws RefusedException {
    PayloadHash hash = PayloadHash.of(payload, sha256);
    if (!hash.matches()) {
      throw new RefusedException(
          "its payload hashes to " + hash.actual() + ", but it calls itself " + sha256);
    }
  }

  /**
   * Checks a version's signature. The hash is what is signed, so it must have been checked before.
   *
   * @throws RefusedException where no trusted key has signed the hash and signatures are checked
   */
  public static void requireTrust(TrustedKeys trusted, String sha256, ByteBuffer signature)
      throws RefusedException {
    Optional<String> objection = trusted.objection(sha256, signature);
    if (objection.isPresent()) {
      throw new RefusedException(objection.get());
    }
  }

  private static void requireSame(String what, Object record, Object payload)
      throws RefusedException {
    if (!Objects.equals(record, payload)) {
      throw new RefusedException(
          what + " is " + record + " in the record and " + payload + " in the payload");
    }
  }
}
