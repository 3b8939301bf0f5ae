package io.millrace.inference.serving;

import io.millrace.inference.metrics.ServingMetrics;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/** The gauges of what serves, read from the catalog at each scrape. */
public final class CatalogGauges {
  private static final List<String> DOMAIN = List.of("domain");

  private final AdapterCatalog catalog;
  private final int maxDomains;

  private CatalogGauges(AdapterCatalog catalog, int maxDomains) {
    this.catalog = catalog;
    this.maxDomains = maxDomains;
  }

  /**
   * Adds the gauges of a catalog to the metrics.
   *
   * @param maxDomains number of domains that have series of their own, the first by name; the
   *     others are only counted
   */
  public static void register(ServingMetrics metrics, AdapterCatalog catalog, int maxDomains) {
    new CatalogGauges(catalog, maxDomains).register(metrics);
  }

  private void register(ServingMetrics metrics) {
    metrics.gauge("millrace_domains", "Domains known here.", () -> catalog.domains().size());
    metrics.gauge(
        "millrace_refused_versions", "Versions refused at present.", catalog::refusedCount);
    metrics.gauge(
        "millrace_loaded_domains", "Domains whose versions are in memory.", catalog::loadedDomains);
    metrics.gauge(
        "millrace_loaded_bytes",
        "Memory for versions that are not merged, about.",
        catalog::loadedBytes);
    metrics.counter(
        "millrace_domain_loads_total", "Loads of a domain, since the start.", catalog::loads);
    metrics.gauge(
        "millrace_serving_version",
        "Number of the version in use, by domain.",
        DOMAIN,
        series ->
            domains()
                .forEach(
                    domain ->
                        domain
                            .stable()
                            .ifPresent(ref -> series.put(ref.getVersion(), domain.name()))));
    metrics.gauge(
        "millrace_candidate_version",
        "Number of the version that is tried, by domain.",
        DOMAIN,
        series ->
            candidates(
                (domain, serving) -> series.put(serving.candidate().version().version(), domain)));
    metrics.gauge(
        "millrace_candidate_share",
        "Its part of the requests, from 0 to 1, by domain.",
        DOMAIN,
        series -> candidates((domain, serving) -> series.put(serving.part(), domain)));
    metrics.gauge(
        "millrace_serving_digest",
        "A hash of the stable versions of all domains, for comparing replicas.",
        this::digest);
    metrics.gauge(
        "millrace_rollout_shortfalls",
        "Versions that rollouts name and that do not answer here.",
        () -> catalog.shortfalls().size());
  }

  /** A sum, so that the order of the domains does not count; a gauge holds 53 bits of it. */
  private double digest() {
    return catalog.domains().values().stream()
            .mapToLong(
                domain ->
                    domain
                        .stable()
                        .map(stable -> hash(domain.name() + '@' + stable.getSha256()))
                        .orElse(0L))
            .sum()
        & ((1L << 53) - 1);
  }

  private static long hash(String text) {
    CRC32C crc = new CRC32C();
    crc.update(text.getBytes(StandardCharsets.UTF_8));
    return crc.getValue();
  }

  private Stream<ServedDomain> domains() {
    return catalog.domains().values().stream().limit(maxDomains);
  }

  private void candidates(BiConsumer<String, Assignment> each) {
    domains()
        .forEach(
            domain ->
                domain
                    .serving()
                    .filter(serving -> serving.candidate() != null)
                    .ifPresent(serving -> each.accept(domain.name(), serving)));
  }
}
