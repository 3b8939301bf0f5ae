package io.millrace.pipeline.adapters;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.pipeline.records.LoggedVersion;
import io.millrace.pipeline.records.TestVersions;
import io.millrace.schemas.AdapterVersion;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class AdapterAuditTest {
  private final List<AdapterVersion> chain = TestVersions.chain("d", 4);
  private AdapterAudit audit;
  private int offset;

  @BeforeEach
  void start() {
    audit = new AdapterAudit(adapter -> Optional.empty());
  }

  @Test
  void aSoundChainHasNoFaults() {
    chain.forEach(this::add);
    TestVersions.chain("e", 1).forEach(this::add);

    assertThat(audit.domains())
        .containsExactly(
            new AdapterAudit.Domain("d", 4, 1, 4, List.of()),
            new AdapterAudit.Domain("e", 1, 1, 1, List.of()));
    assertThat(audit.strays()).isEmpty();
  }

  @Test
  void versionsThatAreMissingAreNamed() {
    add(chain.get(3));

    assertThat(faults()).containsExactly("versions 1 to 3: missing");
  }

  @Test
  void aPrunedVersionIsNotMissing() {
    chain.forEach(this::add);
    prune(1);
    prune(2);

    assertThat(audit.domains()).containsExactly(new AdapterAudit.Domain("d", 2, 3, 4, List.of()));
  }

  @Test
  void aVersionThatNamesAnotherParentIsFound() {
    List<AdapterVersion> other = TestVersions.chain("d", 4);
    AdapterVersion replaced = TestVersions.chain("x", 1).get(0);
    replaced.setDomain("d");
    add(replaced);
    add(other.get(1));

    assertThat(faults())
        .anyMatch(fault -> fault.matches("version 2: its parent is \\w{64}, version 1 is \\w{64}"));
  }

  @Test
  void aFirstVersionWithAParentAndALaterOneWithoutAreFound() {
    chain.get(0).setParentSha256("ab".repeat(32));
    chain.get(1).setParentSha256(null);
    add(chain.get(0));
    add(chain.get(1));

    assertThat(faults())
        .contains(
            "version 1: the first, and it names the parent " + "ab".repeat(32),
            "version 2: it names no parent");
  }

  @Test
  void aVersionThatComesTwiceOrOutOfOrderIsFound() {
    add(chain.get(0));
    add(chain.get(2));
    add(chain.get(1));
    add(TestVersions.chain("d", 1).get(0));

    assertThat(faults())
        .containsExactly(
            "version 2: comes after version 3, adapters-0 at offset 2",
            "version 1: published again, adapters-0 at offset 3");
  }

  @Test
  void aChangedPayloadIsFoundByItsHash() {
    byte[] bytes = chain.get(0).getPayload().array().clone();
    bytes[bytes.length - 1] ^= 1;
    chain.get(0).setPayload(ByteBuffer.wrap(bytes));
    add(chain.get(0));

    assertThat(faults()).hasSize(1);
    assertThat(faults().get(0))
        .matches("version 1: its payload's SHA-256 is \\w{64}, its id " + chain.get(0).getSha256());
  }

  @Test
  void aPayloadThatDoesNotParseIsFound() {
    chain.get(0).setPayload(ByteBuffer.wrap(new byte[3]));
    add(chain.get(0));

    assertThat(faults()).hasSize(2).last().asString().startsWith("version 1: adapter payload: ");
  }

  @Test
  void everyFieldThatDiffersFromThePayloadIsFound() {
    AdapterVersion version = chain.get(1);
    version.setBaseModel("other");
    version.setBaseSha256("00".repeat(32));
    version.setBasisSha256("11".repeat(32));
    version.setMethod("svft");
    version.setPattern("plain");
    version.setTrainableParameters(9);
    version.setLabels(List.of("yes", "no"));
    version.setSteps(1);
    version.setExamples(2);
    add(chain.get(0));
    add(version);

    assertThat(faults())
        .containsExactly(
            "version 2: baseModel is other in the record, nobodys in the payload",
            "version 2: baseSha256 is %s in the record, %s in the payload"
                .formatted("00".repeat(32), "ba".repeat(32)),
            "version 2: basisSha256 is %s in the record, %s in the payload"
                .formatted("11".repeat(32), "51".repeat(32)),
            "version 2: method is svft in the record, head in the payload",
            "version 2: pattern is plain in the record, (none) in the payload",
            "version 2: trainableParameters is 9 in the record, 0 in the payload",
            "version 2: labels is [yes, no] in the record, [no, yes] in the payload",
            "version 2: steps is 1 in the record, 20 in the payload",
            "version 2: examples is 2 in the record, 320 in the payload");
  }

  @Test
  void aManifestThatDoesNotFitIsFound() {
    chain.get(0).getManifest().setPositionsSha256("ab".repeat(32));
    chain.get(1).getManifest().setFirstStep(12);
    add(chain.get(0));
    add(chain.get(1));

    assertThat(faults())
        .containsExactly(
            "version 1: positionsSha256 is %s in the record, (none) in the payload"
                .formatted("ab".repeat(32)),
            "version 2: its manifest begins at step 12, not 11");
  }

  @Test
  void aRecordUnderAnothersKeyAndOneThatIsUnreadableAreFound() {
    audit.add(logged("d", 7, new LoggedVersion.Published<>(chain.get(0))));
    audit.add(logged("d", 8, new LoggedVersion.Unreadable<>("no such schema")));
    audit.add(logged("", 0, new LoggedVersion.Unreadable<>("no such schema")));

    assertThat(faults())
        .containsExactly(
            "version 7, adapters-0 at offset 0: the record is of d@1",
            "version 8, adapters-0 at offset 1: unreadable: no such schema");
    assertThat(audit.strays())
        .containsExactly("adapters-0 at offset 2: its key is no domain@version");
  }

  @Test
  void whatTheBaseModelSaysIsAFaultOfItsVersion() {
    audit = new AdapterAudit(adapter -> Optional.of("not my " + adapter.baseModel()));
    add(chain.get(0));

    assertThat(faults()).containsExactly("version 1: not my nobodys");
  }

  private void add(AdapterVersion version) {
    audit.add(
        logged(version.getDomain(), version.getVersion(), new LoggedVersion.Published<>(version)));
  }

  private void prune(long version) {
    audit.add(logged("d", version, new LoggedVersion.Pruned<>()));
  }

  private LoggedVersion<AdapterVersion> logged(
      String domain, long version, LoggedVersion.Content<AdapterVersion> content) {
    return new LoggedVersion<>(0, offset++, domain, version, content);
  }

  private List<String> faults() {
    List<String> faults = new ArrayList<>();
    audit.domains().forEach(domain -> faults.addAll(domain.faults()));
    return faults;
  }
}
