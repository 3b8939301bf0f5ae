package io.millrace.inference.http;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.function.Function;

/**
 * The entries of a page of domains, each made when it is taken, and the name after which the next
 * page begins. For one thread.
 */
final class DomainListing implements Iterator<JsonNode> {
  /** The names of all domains, in order. */
  interface Names {
    /** The first one that is no smaller than this one; null where there is none. */
    String ceiling(String name);

    /** The first one that is greater than this one; null where there is none. */
    String higher(String name);
  }

  private final DomainPage page;
  private final Names names;
  private final Function<String, Optional<JsonNode>> entry;
  private int left;
  private String last;
  private JsonNode next;
  private boolean ended;

  private DomainListing(DomainPage page, Names names, Function<String, Optional<JsonNode>> entry) {
    this.page = page;
    this.names = names;
    this.entry = entry;
    this.left = page.limit();
  }

  /**
   * The content of an answer: the entries, and {@code next}.
   *
   * @param name the field with the entries
   * @param names of all domains; may change meanwhile
   * @param entry of a domain; empty where it is gone
   */
  static Listings.Content of(
      DomainPage page, String name, Names names, Function<String, Optional<JsonNode>> entry) {
    DomainListing listing = new DomainListing(page, names, entry);
    return new Listings.Content(
        Answer.object(), name, listing, () -> Answer.object().put("next", listing.nextAfter()));
  }

  @Override
  public boolean hasNext() {
    while (next == null && !ended) {
      String name = nextName();
      if (name == null || left == 0) {
        ended = true;
      } else {
        last = name;
        next = entry.apply(name).orElse(null);
        left -= next == null ? 0 : 1;
      }
    }
    return next != null;
  }

  private String nextName() {
    if (page.domain() != null) {
      return last == null ? page.domain() : null;
    }
    String name = last == null ? names.ceiling(page.from()) : names.higher(last);
    if (last == null && name != null && name.equals(page.after())) {
      name = names.higher(name);
    }
    return name != null && page.includes(name) ? name : null;
  }

  @Override
  public JsonNode next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    JsonNode taken = next;
    next = null;
    return taken;
  }

  /** The last name, if more follow it; null otherwise. */
  private String nextAfter() {
    return last == null || nextName() == null ? null : last;
  }
}
