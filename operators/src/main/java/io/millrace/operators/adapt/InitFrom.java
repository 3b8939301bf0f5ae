package io.millrace.operators.adapt;

import io.millrace.svft.adapter.PeftLora;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a new domain starts from: the base model, a version of a domain above it, or an adapter of
 * PEFT in a directory.
 *
 * @param kind of these
 * @param directory of the adapter of PEFT; empty for the others
 * @param sha256 of the directory's content, see {@link PeftLora.Content#sha256}; empty while it is
 *     not known
 */
public record InitFrom(Kind kind, String directory, String sha256) implements Serializable {
  private static final Pattern PEFT =
      Pattern.compile("peft:(?<directory>.*?\\S)(;sha256=(?<sha256>[0-9a-f]{64}))?");

  /** What is started from. */
  public enum Kind {
    BASE,
    PARENT,
    PEFT
  }

  /** The base model. */
  public static final InitFrom BASE = new InitFrom(Kind.BASE, "", "");

  /** The latest version of the nearest domain above that has one. */
  public static final InitFrom PARENT = new InitFrom(Kind.PARENT, "", "");

  /**
   * Parses {@code base}, {@code parent}, {@code peft:DIRECTORY} or {@code
   * peft:DIRECTORY;sha256=HASH}. {@link #text} is the inverse.
   *
   * @throws IllegalArgumentException if it is none of these
   */
  public static InitFrom parse(String text) {
    if (text.equals("base")) {
      return BASE;
    }
    if (text.equals("parent")) {
      return PARENT;
    }
    Matcher peft = PEFT.matcher(text);
    if (!peft.matches()) {
      throw new IllegalArgumentException("neither base, parent nor peft:DIRECTORY");
    }
    String sha256 = peft.group("sha256");
    return new InitFrom(Kind.PEFT, peft.group("directory"), sha256 == null ? "" : sha256);
  }

  /** As {@link #parse} reads it. */
  public String text() {
    return switch (kind) {
      case BASE -> "base";
      case PARENT -> "parent";
      case PEFT -> "peft:" + directory + (sha256.isEmpty() ? "" : ";sha256=" + sha256);
    };
  }

  /**
   * The same with the whole path of the directory and the hash of its content, so that a later
   * reader finds a change. One that names a hash stays as it is.
   *
   * @throws AdapterException if the directory holds no adapter of PEFT, or cannot be read
   */
  public InitFrom pinned() {
    if (kind != Kind.PEFT || !sha256.isEmpty()) {
      return this;
    }
    return new InitFrom(kind, path().toString(), content().sha256());
  }

  /**
   * Reads the adapter of PEFT.
   *
   * @param config the shape of the encoder
   * @param baseSha256 of the base model
   * @throws AdapterException if its content is not that of the hash, it cannot be read, or does not
   *     fit the encoder; the message is one line
   */
  public PeftLora read(EncoderConfig config, String baseSha256) {
    PeftLora.Content content = content();
    String here = content.sha256();
    if (!sha256.isEmpty() && !here.equals(sha256)) {
      throw new AdapterException(
          "%s has changed: its content had the SHA-256 %s and has %s now; put back what was there"
              .formatted(directory, sha256, here));
    }
    return PeftLora.of(content, config, baseSha256);
  }

  PeftLora read(BaseModel base) {
    return read(base.config(), base.baseSha256());
  }

  private Path path() {
    try {
      return Path.of(directory).toAbsolutePath().normalize();
    } catch (InvalidPathException e) {
      throw new AdapterException(directory + " is no path: " + e.getReason());
    }
  }

  private PeftLora.Content content() {
    try {
      return PeftLora.Content.of(path());
    } catch (IOException e) {
      throw new AdapterException(directory + " cannot be read: " + e);
    }
  }
}
