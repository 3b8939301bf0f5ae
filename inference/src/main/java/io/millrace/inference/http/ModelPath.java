package io.millrace.inference.http;

import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.eclipse.jetty.util.URIUtil;

/**
 * A path of the Open Inference Protocol that is about a model: {@code
 * /v2/models/MODEL[/versions/N][/ready|/infer]}. A model is a domain. The slashes of its name may
 * be written as they are, or as {@code %2F}: these are never taken for the path's own.
 *
 * @param model the domain
 * @param version the one that is asked for; empty for whichever serves
 * @param action {@code ready}, {@code infer}, or empty for the model's metadata
 */
record ModelPath(String model, OptionalLong version, String action) {
  static final String READY = "ready";
  static final String INFER = "infer";

  private static final Pattern PATH =
      Pattern.compile("/v2/models/(.+?)(?:/versions/(\\d{1,18}))?(?:/(ready|infer))?");

  /** A model's metadata, for any model. */
  static final String METADATA_ROUTE = "/v2/models/{model}";

  private static final String OF_VERSION = "/versions/{version}";

  /**
   * Reads a path.
   *
   * @param path with its percent-encodings
   */
  static Optional<ModelPath> of(String path) {
    Matcher matcher = PATH.matcher(path);
    if (!matcher.matches()) {
      return Optional.empty();
    }
    String version = matcher.group(2);
    return Optional.of(
        new ModelPath(
            URIUtil.decodePath(matcher.group(1)),
            version == null ? OptionalLong.empty() : OptionalLong.of(Long.parseLong(version)),
            matcher.group(3) == null ? "" : matcher.group(3)));
  }

  /** The route that answers a path: one for all models. Other paths are their own. */
  static String route(String path) {
    return of(path).map(each -> route(each.version.isPresent(), each.action)).orElse(path);
  }

  /** The route of an action, on a version or on whichever serves. */
  static String route(boolean ofVersion, String action) {
    return METADATA_ROUTE + (ofVersion ? OF_VERSION : "") + (action.isEmpty() ? "" : "/" + action);
  }
}
