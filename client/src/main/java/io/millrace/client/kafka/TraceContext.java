package io.millrace.client.kafka;

import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;
import org.apache.kafka.common.header.Headers;

/**
 * The trace that a request belongs to, as <a href="https://www.w3.org/TR/trace-context/">W3C Trace
 * Context</a> names it. It is handed on as it came; Millrace records no spans.
 *
 * @param traceparent the header's value; null where the request belongs to no trace
 * @param tracestate what the tracing systems of the client say; null where they say nothing
 */
public record TraceContext(String traceparent, String tracestate) {
  /** The header of requests, answers and Kafka records. */
  public static final String TRACEPARENT = "traceparent";

  /** The one beside it. */
  public static final String TRACESTATE = "tracestate";

  /** No trace. */
  public static final TraceContext NONE = new TraceContext(null, null);

  /** Version, trace id, parent id, flags; a later version may have more behind a dash. */
  private static final Pattern FORM =
      Pattern.compile(
          "(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?");

  /** So long a state must be handed on; a longer one is left out. */
  private static final int MOST_STATE = 512;

  private static final int MOST_PARENT = 256;

  /**
   * The trace of a request. A header that is not of the standard's form starts no trace, as the
   * standard wants it.
   *
   * @param traceparent the header's value; null where there is none
   * @param tracestate the header's values, joined by commas; null where there is none
   */
  public static TraceContext of(String traceparent, String tracestate) {
    if (traceparent == null) {
      return NONE;
    }
    String parent = traceparent.strip();
    boolean valid = parent.length() <= MOST_PARENT && FORM.matcher(parent).matches();
    // Version 00 has nothing behind its flags.
    if (!valid || (parent.startsWith("00") && parent.length() > 55)) {
      return NONE;
    }
    boolean handedOn =
        tracestate != null
            && !tracestate.isBlank()
            && tracestate.length() <= MOST_STATE
            && tracestate.chars().allMatch(c -> c >= ' ' && c <= '~');
    return new TraceContext(parent, handedOn ? tracestate.strip() : null);
  }

  /** Whether there is a trace. */
  public boolean isPresent() {
    return traceparent != null;
  }

  /** Adds it to the headers of a record. */
  public void addTo(Headers headers) {
    if (traceparent != null) {
      headers.add(TRACEPARENT, traceparent.getBytes(StandardCharsets.US_ASCII));
    }
    if (tracestate != null) {
      headers.add(TRACESTATE, tracestate.getBytes(StandardCharsets.US_ASCII));
    }
  }
}
