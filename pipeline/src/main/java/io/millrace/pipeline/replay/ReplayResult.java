package io.millrace.pipeline.replay;

import java.util.List;

/**
 * The result of a replay of one domain.
 *
 * @param domain its name
 * @param fromVersion where it started: 0 is the base model
 * @param version the last version it came to
 * @param sha256 that version's SHA-256 on record
 * @param versions that were trained again and compared
 * @param steps steps taken
 * @param examples examples trained on
 * @param examplesPerSecond from the end of the first step to that of the last; 0 for less than two
 * @param differences none where all is the same
 * @param missing examples that the replay would need and the topic does not hold: none, or nothing
 *     was trained
 */
public record ReplayResult(
    String domain,
    long fromVersion,
    long version,
    String sha256,
    int versions,
    long steps,
    long examples,
    double examplesPerSecond,
    List<Difference> differences,
    MissingExamples missing) {

  /** Whether every version came out with the hash on record. */
  public boolean same() {
    return differences.isEmpty() && missing.count() == 0;
  }
}
