package io.millrace.operators;

import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.ReceivedExample;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** Records as the job receives them. */
public final class Received {
  private static final List<String> TEXTS =
      List.of(
          "It broke after a day.",
          "Works like a charm!",
          "The third act drags.",
          "I would buy it again.",
          "Cold soup, warm beer.",
          "What a view.");

  private Received() {}

  /** The text and label of an offset are the same in every domain. */
  public static ReceivedExample example(String domain, int partition, long offset, long timestamp) {
    LabeledExample example =
        new LabeledExample(
            Long.toString(offset),
            domain,
            TEXTS.get((int) (offset % TEXTS.size())),
            offset % 2 == 0 ? "negative" : "positive",
            null,
            1f,
            Map.of());
    return ReceivedExample.newBuilder()
        .setTopic("labeled-examples")
        .setPartition(partition)
        .setOffset(offset)
        .setTimestamp(timestamp)
        .setKey(bytes(domain))
        .setValue(bytes("value " + offset))
        .setExample(example)
        .build();
  }

  /** The same with a label of its own. */
  public static ReceivedExample labeled(String domain, long offset, String label) {
    ReceivedExample example = example(domain, 0, offset, offset);
    example.getExample().setLabel(label);
    return example;
  }

  public static ByteBuffer bytes(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
  }
}
