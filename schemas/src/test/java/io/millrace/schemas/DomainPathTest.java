package io.millrace.schemas;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class DomainPathTest {
  @ParameterizedTest
  @CsvSource({
    "a/b, a",
    "a/b/c, a/b",
    "a//b, a",
    "a/, a",
    "a//, a",
    "/a/b, /a",
    "//a/b//c, //a/b",
    "a b/c d, a b",
    "a@1/b, a@1",
  })
  void theParentIsWhatStandsBeforeTheLastSlash(String domain, String parent) {
    assertThat(DomainPath.parent(domain)).contains(parent);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "a", "/", "//", "/a", "//a", " /a", "a\\b", "a.b"})
  void aNameWithoutAPartBeforeASlashHasNoParent(String domain) {
    assertThat(DomainPath.parent(domain)).isEmpty();
  }

  @Test
  void theWayUpBeginsWithTheNearest() {
    assertThat(DomainPath.above("a/b//c/d")).containsExactly("a/b//c", "a/b", "a");
    assertThat(DomainPath.above("a")).isEmpty();
  }

  @Test
  void theWayUpIsBoundedHoweverLongTheName() {
    assertThat(DomainPath.above("a/".repeat(500_000))).hasSize(DomainPath.MOST_ABOVE);
    assertThat(DomainPath.above("/".repeat(1 << 20))).isEmpty();
  }
}
