package io.millrace.inference.http;

import io.millrace.inference.metrics.ServingMetrics;
import io.prometheus.metrics.config.EscapingScheme;
import io.prometheus.metrics.expositionformats.ExpositionFormatWriter;
import io.prometheus.metrics.expositionformats.ExpositionFormats;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * {@code GET /metrics}: in Prometheus' text format, or in OpenMetrics where the client accepts it.
 */
public final class MetricsEndpoint implements Endpoint {
  private final ExpositionFormats formats = ExpositionFormats.init();
  private final ServingMetrics metrics;

  public MetricsEndpoint(ServingMetrics metrics) {
    this.metrics = metrics;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    String accept = request.getHeaders().get(HttpHeader.ACCEPT);
    ExpositionFormatWriter format = formats.findWriter(accept);
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    try {
      format.write(text, metrics.scrape(), EscapingScheme.UNDERSCORE_ESCAPING);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Answer.send(response, callback, HttpStatus.OK_200, format.getContentType(), text.toByteArray());
  }
}
