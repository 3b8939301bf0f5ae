package io.millrace.operators.adapt;

import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.ReceivedExample;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * An example as it waits in state for its batch: the bytes of its record, which a dead letter
 * needs, and where in them its text stands. Id, time and metadata are in the bytes alone.
 */
final class StoredExample {
  /** Looking for the text costs at most so many comparisons for each byte of the record. */
  private static final int COMPARISONS = 16;

  private StoredExample() {}

  /** The example as state holds it. */
  static ReceivedExample pack(ReceivedExample received) {
    LabeledExample example = received.getExample();
    byte[] text = example.getText().getBytes(StandardCharsets.UTF_8);
    int at = received.getValue() == null ? -1 : find(text, received.getValue());
    return ReceivedExample.newBuilder()
        .setTopic(received.getTopic())
        .setPartition(received.getPartition())
        .setOffset(received.getOffset())
        .setTimestamp(received.getTimestamp())
        .setKey(received.getKey())
        .setValue(received.getValue())
        .setExample(
            new LabeledExample(
                "",
                example.getDomain(),
                at < 0 ? example.getText() : "",
                example.getLabel(),
                null,
                example.getWeight(),
                Map.of()))
        .setTextAt(at)
        .setTextBytes(at < 0 ? 0 : text.length)
        .build();
  }

  /** Length of a stored example's text, in UTF-8. */
  static int textBytes(ReceivedExample stored) {
    return stored.getTextAt() >= 0
        ? stored.getTextBytes()
        : stored.getExample().getText().getBytes(StandardCharsets.UTF_8).length;
  }

  /** The example with its text. What an earlier release has stored is whole. */
  static ReceivedExample unpack(ReceivedExample stored) {
    if (stored.getTextAt() >= 0) {
      byte[] text = new byte[stored.getTextBytes()];
      ByteBuffer value = stored.getValue().duplicate();
      value.position(value.position() + stored.getTextAt()).get(text);
      stored.getExample().setText(new String(text, StandardCharsets.UTF_8));
      stored.setTextAt(-1);
      stored.setTextBytes(0);
    }
    return stored;
  }

  /** Where {@code text} stands first in {@code value}; -1 where it does not, or is hard to find. */
  private static int find(byte[] text, ByteBuffer value) {
    int start = value.position();
    long left = (long) COMPARISONS * value.remaining();
    for (int at = 0; at + text.length <= value.remaining() && left > 0; at++) {
      int same = 0;
      while (same < text.length && value.get(start + at + same) == text[same]) {
        same++;
      }
      if (same == text.length) {
        return at;
      }
      left -= same + 1;
    }
    return -1;
  }
}
