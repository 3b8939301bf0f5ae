package io.millrace.inference.http;

import io.millrace.inference.store.LogPlace;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Set;
import java.util.TreeSet;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.util.Fields;

/** The parameters in a request's query. Messages of exceptions are for the client. */
final class Query {
  private final Fields fields;

  private Query(Fields fields) {
    this.fields = fields;
  }

  /**
   * Reads them.
   *
   * @param known the names that the endpoint knows
   * @throws IllegalArgumentException where there is another one, one occurs twice, or they cannot
   *     be read
   */
  static Query of(Request request, Set<String> known) {
    if (request.getHttpURI().getQuery() == null) {
      return new Query(Fields.EMPTY);
    }
    Fields fields;
    try {
      fields = Request.extractQueryParameters(request);
    } catch (RuntimeException e) {
      throw new IllegalArgumentException("the query is not percent-encoded UTF-8", e);
    }
    for (Fields.Field field : fields) {
      if (!known.contains(field.getName())) {
        throw new IllegalArgumentException(
            "unknown query parameter \"%s\"; %s"
                .formatted(
                    field.getName(),
                    known.isEmpty()
                        ? "this path takes none"
                        : "this path takes " + String.join(", ", new TreeSet<>(known))));
      }
      if (field.getValues().size() > 1) {
        throw new IllegalArgumentException(
            "the query parameter \"%s\" occurs twice".formatted(field.getName()));
      }
    }
    return new Query(fields);
  }

  /** Its text; null where it is absent. */
  String text(String name) {
    return fields.getValue(name);
  }

  /** A whole number within bounds. */
  int number(String name, int least, int most, int otherwise) {
    String text = text(name);
    if (text == null) {
      return otherwise;
    }
    try {
      int number = Integer.parseInt(text);
      if (number >= least && number <= most) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Reported below.
    }
    throw new IllegalArgumentException(
        "\"%s\" is no whole number from %d to %d".formatted(name, least, most));
  }

  /** A version's number; {@link Long#MAX_VALUE} where it is absent. */
  long versionOrLast(String name) {
    String text = text(name);
    if (text == null) {
      return Long.MAX_VALUE;
    }
    try {
      long number = Long.parseLong(text);
      if (number >= 1) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Reported below.
    }
    throw new IllegalArgumentException("\"%s\" is no version's number".formatted(name));
  }

  /** A time; null where it is absent. */
  Instant time(String name) {
    String text = text(name);
    if (text == null) {
      return null;
    }
    try {
      // An unescaped + is a space in a query.
      return OffsetDateTime.parse(text.replace(' ', '+')).toInstant();
    } catch (DateTimeException e) {
      throw new IllegalArgumentException(
          "\"%s\" is no time such as 2026-11-22T09:00:00Z or 2026-11-22T10:00:00+01:00"
              .formatted(name),
          e);
    }
  }

  /** A place in the log, as {@link #place(LogPlace)} writes it; null where it is absent. */
  LogPlace place(String name) {
    String text = text(name);
    if (text == null) {
      return null;
    }
    String[] parts = text.split("-", -1);
    try {
      if (parts.length == 2) {
        LogPlace place = new LogPlace(Integer.parseInt(parts[0]), Long.parseLong(parts[1]));
        if (place.partition() >= 0 && place.offset() >= 0) {
          return place;
        }
      }
    } catch (NumberFormatException e) {
      // Reported below.
    }
    throw new IllegalArgumentException(
        "\"%s\" is no place that an earlier answer named, such as 0-4711".formatted(name));
  }

  /** A place in the log, for clients: partition and offset. */
  static String place(LogPlace place) {
    return place.partition() + "-" + place.offset();
  }
}
