package io.millrace.svft.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class PayloadSizeTest {
  private static final int HEADER = 4096;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "svft:plain",
        "svft:banded:1",
        "svft:random:1:7",
        "svft:gradient:1",
        "lora:2;alpha=4",
        "pissa:2",
        "full",
        "head"
      })
  void aPayloadIsItsTensorsAndAHeader(String method) {
    Adapter adapter = HandmadeAdapter.of(method);

    long tensors = PayloadSize.tensorBytes(adapter.config(), adapter.method(), 1);

    assertThat(adapter.toPayload().length - tensors).as(method).isBetween(0L, (long) HEADER);
  }
}
