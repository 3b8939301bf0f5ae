package io.millrace.inference.http;

import com.fasterxml.jackson.databind.node.TextNode;
import io.millrace.inference.serving.AdapterCatalog;
import java.util.Set;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/** {@code GET /v1/models}: the names of the domains of a {@link DomainPage}, and nothing else. */
public final class ModelsEndpoint implements Endpoint {
  private static final Set<String> PARAMETERS = Set.of("prefix", "after", "limit");

  private final AdapterCatalog catalog;
  private final Listings listings;

  public ModelsEndpoint(AdapterCatalog catalog, Listings listings) {
    this.catalog = catalog;
    this.listings = listings;
  }

  @Override
  public Set<String> parameters() {
    return PARAMETERS;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    DomainPage page;
    try {
      page = DomainPage.of(Query.of(request, PARAMETERS));
    } catch (IllegalArgumentException e) {
      Answer.error(response, callback, HttpStatus.BAD_REQUEST_400, e.getMessage());
      return;
    }
    listings.send(
        response,
        callback,
        DomainListing.of(
            page,
            "models",
            AdaptersEndpoint.names(catalog),
            name -> catalog.find(name).map(domain -> TextNode.valueOf(name))));
  }
}
