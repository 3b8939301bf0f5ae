package io.millrace.client.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class TraceContextTest {
  private static final String PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

  @ParameterizedTest
  @ValueSource(
      strings = {
        PARENT,
        " " + PARENT + " ",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"
      })
  void whatHasTheStandardsFormIsHandedOn(String parent) {
    assertThat(TraceContext.of(parent, null).traceparent()).isEqualTo(parent.strip());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-\r\nx: y"
      })
  void anythingElseIsNoTrace(String parent) {
    assertThat(TraceContext.of(parent, "a=b").isPresent()).isFalse();
    assertThat(headers(TraceContext.of(parent, "a=b"))).isEmpty();
  }

  @Test
  void theStateGoesWithItWhereItMay() {
    assertThat(headers(TraceContext.of(PARENT, "vendor=1,other=2")))
        .containsExactly("traceparent=" + PARENT, "tracestate=vendor=1,other=2");
    assertThat(headers(TraceContext.of(PARENT, "x".repeat(513))))
        .containsExactly("traceparent=" + PARENT);
    assertThat(headers(TraceContext.of(PARENT, "a=\u00e9")))
        .containsExactly("traceparent=" + PARENT);
    assertThat(headers(TraceContext.of(null, "a=b"))).isEmpty();
  }

  private static List<String> headers(TraceContext trace) {
    RecordHeaders headers = new RecordHeaders();
    trace.addTo(headers);
    List<String> shown = new ArrayList<>();
    headers.forEach(header -> shown.add(header.key() + "=" + new String(header.value())));
    return shown;
  }
}
