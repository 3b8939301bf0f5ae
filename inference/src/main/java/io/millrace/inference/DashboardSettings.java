package io.millrace.inference;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.inference.http.BearerToken;
import io.millrace.inference.http.WebAccess;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The settings of the page, of its own process and within a serving process. */
public final class DashboardSettings {
  static final Setting<String> HOST =
      Setting.text(
          "dashboard.host",
          "127.0.0.1",
          "Address that millrace dashboard listens on. Anything but a loopback address is open to"
              + " the network.");

  static final Setting<Integer> PORT =
      Setting.integer(
          "dashboard.port",
          8090,
          0,
          65535,
          "Port that millrace dashboard listens on; 0 takes any free one. --port wins.");

  static final Setting<String> SERVING =
      Setting.text(
          "dashboard.serving",
          "",
          "The serving processes that the page asks what they serve, such as"
              + " http://127.0.0.1:8080, separated by commas; texts and decisions go to the first"
              + " that answers. Unset, a serving process asks itself, and millrace dashboard asks"
              + " http://127.0.0.1:8080.");

  static final Setting<Integer> MAX_DOMAINS =
      Setting.integer(
          "dashboard.maxDomains",
          10_000,
          1,
          1_000_000,
          "Domains that the page shows, each in about 8 KiB of memory; of more, those that were"
              + " heard of last.");

  static final Setting<String> JOB =
      Setting.text(
          "dashboard.job", "millrace", "The job.name of the job whose lag the page shows.");

  /** Those that both processes have. */
  static final List<Setting<?>> SHARED = List.of(SERVING, MAX_DOMAINS, JOB);

  /** Those of {@code millrace dashboard}. */
  public static final List<Setting<?>> ALL = all();

  private DashboardSettings() {}

  private static List<Setting<?>> all() {
    List<Setting<?>> all = new ArrayList<>(List.of(HOST, PORT));
    all.addAll(SHARED);
    all.addAll(WebAccess.SETTINGS);
    all.addAll(List.of(BearerToken.PREDICT, BearerToken.PREDICT_FILE));
    all.addAll(Connection.SETTINGS);
    return List.copyOf(all);
  }

  /**
   * The serving processes.
   *
   * @return none where the setting is unset
   * @throws UsageException where one is no address
   */
  static List<URI> serving(Settings settings) {
    return Arrays.stream(settings.get(SERVING).split(","))
        .map(String::strip)
        .filter(each -> !each.isEmpty())
        .map(DashboardSettings::address)
        .toList();
  }

  private static URI address(String text) {
    try {
      URI uri = new URI(text);
      boolean http = "http".equals(uri.getScheme()) || "https".equals(uri.getScheme());
      String path = uri.getRawPath();
      if (http && uri.getHost() != null && (path.isEmpty() || path.equals("/"))) {
        return new URI(uri.getScheme(), null, uri.getHost(), uri.getPort(), "/", null, null);
      }
    } catch (URISyntaxException e) {
      // Reported below.
    }
    throw new UsageException(
        SERVING.key()
            + ": "
            + Setting.quoted(text)
            + " is no address such as http://127.0.0.1:8080");
  }
}
