package io.millrace.inference.http;

import io.millrace.inference.dashboard.View;
import io.millrace.inference.dashboard.View.Filter;
import io.millrace.inference.dashboard.View.Order;
import java.util.Set;

/** Reads from a query what somebody looks at. */
final class DashboardQuery {
  static final Set<String> PARAMETERS = Set.of("domain", "search", "filter", "order", "page");

  private static final int MAX_PAGE = 1_000_000;

  private DashboardQuery() {}

  /**
   * Reads it.
   *
   * @throws IllegalArgumentException where it makes no sense; the message is for the client
   */
  static View view(Query query) {
    String domain = query.text("domain");
    if (domain != null) {
      for (String other : PARAMETERS) {
        if (!other.equals("domain") && query.text(other) != null) {
          throw new IllegalArgumentException(
              "\"domain\" asks for one domain: leave \"" + other + "\" out");
        }
      }
      return View.of(domain);
    }
    String search = query.text("search");
    return new View(
        null,
        search == null ? "" : search,
        View.named("filter", Filter.class, query.text("filter"), Filter.ALL),
        View.named("order", Order.class, query.text("order"), Order.NEEDS),
        query.number("page", 0, MAX_PAGE, 0));
  }
}
