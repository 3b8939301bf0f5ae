package io.millrace.pipeline.embedded;

import java.util.function.Consumer;
import org.apache.kafka.common.utils.Exit;
import org.apache.kafka.common.utils.Exit.Procedure;

/**
 * A broker that cannot continue, as on a full disk, ends its process at once. An embedded broker
 * would end the command without a message; this prints one first.
 */
public final class BrokerFailure {
  private static final int FAILED = 1;

  private BrokerFailure() {}

  /** From now on, {@code say} is given a line for the user before the process ends. */
  public static void announceTo(Consumer<String> say) {
    Procedure end =
        (status, message) -> {
          String reason = message == null ? "" : ": " + message;
          say.accept("the embedded Kafka broker cannot go on" + reason);
          // Kafka expects that this call does not return.
          Runtime.getRuntime().halt(FAILED);
        };
    Exit.setExitProcedure(end);
    Exit.setHaltProcedure(end);
  }
}
