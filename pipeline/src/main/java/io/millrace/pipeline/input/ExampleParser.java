package io.millrace.pipeline.input;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import io.millrace.operators.gate.ExampleRules;
import io.millrace.pipeline.input.LineReader.Line;
import io.millrace.pipeline.input.ParsedLine.Accepted;
import io.millrace.pipeline.input.ParsedLine.Rejected;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.RecordError;
import io.millrace.schemas.text.ShownText;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Set;

/**
 * Turns a line of a file into an example, strictly: what is not certain is an error. A line is one
 * JSON object with {@code domain}, {@code text} and {@code label}; {@code id} defaults to the
 * line's number, {@code eventTime} (ISO-8601, with an offset or Z) to none. Every other field is
 * kept as metadata: a string as it is, anything else as its JSON text.
 *
 * <p>Besides those of {@link ExampleRules}, an error has one of these classes: {@code LineTooLong},
 * {@code NulCharacter}, {@code InvalidUtf8}, {@code BrokenJson}, {@code NotAnObject}, {@code
 * DuplicateKey}, {@code NotAString}, {@code BadEventTime}.
 */
final class ExampleParser {
  private static final int LONGEST_MESSAGE = 300;

  private final JsonFactory json =
      JsonFactory.builder()
          // Metadata may have any number of names; they must not pile up in tables that live on.
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
          .build();

  private final ExampleRules rules;
  private final int lineBytes;
  private final boolean scalarLabels;

  ExampleParser(ExampleLimits limits) {
    this.rules = new ExampleRules(limits.example());
    this.lineBytes = limits.lineBytes();
    this.scalarLabels = limits.scalarLabels();
  }

  ParsedLine parse(Line line) {
    try {
      LabeledExample example = read(text(line), line.number());
      return rules.check(example).<ParsedLine>map(Rejected::new).orElse(new Accepted(example));
    } catch (BadLine e) {
      return new Rejected(e.error());
    }
  }

  private String text(Line line) throws BadLine {
    if (!line.isWhole()) {
      throw new BadLine(
          "LineTooLong",
          "line is %d bytes long, of which the first %d are kept; limits.lineBytes allows %d"
              .formatted(line.length(), line.bytes().length, lineBytes));
    }
    ByteBuffer bytes = ByteBuffer.wrap(line.bytes());
    CharBuffer text = CharBuffer.allocate(line.bytes().length);
    if (StandardCharsets.UTF_8.newDecoder().decode(bytes, text, true).isError()) {
      throw new BadLine(
          "InvalidUtf8", "what begins at byte %d is not UTF-8".formatted(bytes.position() + 1));
    }
    String decoded = text.flip().toString();
    int nul = decoded.indexOf(0);
    if (nul >= 0) {
      throw new BadLine("NulCharacter", "character %d is NUL".formatted(nul + 1));
    }
    return decoded;
  }

  private LabeledExample read(String text, long number) throws BadLine {
    try (JsonParser parser = json.createParser(text)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw new BadLine("NotAnObject", "line is JSON, but no object");
      }
      LabeledExample example = new LabeledExample();
      example.setId(String.valueOf(number));
      example.setWeight(1f);
      example.setMetadata(new LinkedHashMap<>());
      Set<String> seen = new HashSet<>();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        if (!seen.add(name)) {
          throw new BadLine("DuplicateKey", "key '%s' stands there twice".formatted(name));
        }
        parser.nextToken();
        set(example, name, parser, text);
      }
      if (parser.nextToken() != null) {
        throw new BadLine("BrokenJson", "something follows the object");
      }
      return example;
    } catch (JsonProcessingException e) {
      String where = e.getLocation() == null ? "" : ", column " + e.getLocation().getColumnNr();
      throw new BadLine("BrokenJson", e.getOriginalMessage() + where);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read from memory", e);
    }
  }

  private void set(LabeledExample example, String name, JsonParser parser, String text)
      throws IOException, BadLine {
    switch (name) {
      case "domain" -> example.setDomain(string(name, parser));
      case "text" -> example.setText(string(name, parser));
      case "label" -> example.setLabel(label(name, parser));
      case "id" -> {
        boolean number = parser.currentToken().isNumeric();
        String id = number ? parser.getText() : string(name, parser);
        if (id != null && !id.isBlank()) {
          example.setId(id);
        }
      }
      case "eventTime" -> example.setEventTime(eventTime(parser, text));
      default -> example.getMetadata().put(name, asText(parser, text));
    }
  }

  /** A string, or, where they are labels too, the text of a whole number or a truth value. */
  private String label(String name, JsonParser parser) throws IOException, BadLine {
    return switch (parser.currentToken()) {
      case VALUE_NUMBER_INT, VALUE_TRUE, VALUE_FALSE -> {
        if (!scalarLabels) {
          throw new BadLine(
              "NotAString",
              "label is %s, not a string; input.labels=scalars takes whole numbers, true and false as their text"
                  .formatted(parser.getText()));
        }
        yield parser.getText();
      }
      default -> string(name, parser);
    };
  }

  /** The string that stands here; null stands for a missing one. */
  private static String string(String name, JsonParser parser) throws IOException, BadLine {
    return switch (parser.currentToken()) {
      case VALUE_STRING -> parser.getText();
      case VALUE_NULL -> null;
      default ->
          throw new BadLine(
              "NotAString",
              "%s is not a string but begins with %s".formatted(name, parser.getText()));
    };
  }

  private static Instant eventTime(JsonParser parser, String text) throws IOException, BadLine {
    if (parser.currentToken() == JsonToken.VALUE_NULL) {
      return null;
    }
    boolean string = parser.currentToken() == JsonToken.VALUE_STRING;
    String value = asText(parser, text);
    try {
      if (string) {
        Instant time = OffsetDateTime.parse(value.strip()).toInstant();
        // Records count milliseconds in 64 bits; Java's years reach further.
        return Instant.ofEpochMilli(time.toEpochMilli());
      }
    } catch (DateTimeException | ArithmeticException e) {
      // Said below.
    }
    throw new BadLine(
        "BadEventTime",
        "eventTime '%s' is no ISO-8601 time with an offset, such as 2026-01-31T12:00:00Z"
            .formatted(value.length() > 40 ? value.substring(0, 40) + "..." : value));
  }

  /** A string as it is; anything else as the JSON text that stands there. */
  private static String asText(JsonParser parser, String text) throws IOException {
    if (parser.currentToken().isScalarValue()) {
      return parser.getText();
    }
    int start = (int) parser.currentTokenLocation().getCharOffset();
    parser.skipChildren();
    return text.substring(start, (int) parser.currentLocation().getCharOffset());
  }

  /** Ends the reading of a line. */
  private static final class BadLine extends Exception {
    private static final long serialVersionUID = 1L;

    private final transient RecordError error;

    BadLine(String errorClass, String message) {
      // Thrown for each bad line, of which there may be many: no stack trace, it is not used.
      super(message, null, false, false);
      String line = ShownText.of(message.replaceAll("\\s+", " "));
      int end = Math.min(line.length(), LONGEST_MESSAGE);
      end -= Character.isHighSurrogate(line.charAt(end - 1)) ? 1 : 0;
      error = new RecordError(errorClass, line.substring(0, end));
    }

    RecordError error() {
      return error;
    }
  }
}
