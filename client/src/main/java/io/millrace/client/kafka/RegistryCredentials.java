package io.millrace.client.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.millrace.client.process.Failures;
import io.millrace.client.process.UsageException;
import io.millrace.schemas.registry.RegistryTls;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.config.SslConfigs;
import org.apache.kafka.common.security.ssl.DefaultSslEngineFactory;

/**
 * What the schema registry is shown, and whom it is taken for: Confluent's settings, as our own
 * client of the registry reads them.
 *
 * @param authorization the value of the header Authorization; empty where the URL decides
 * @param tls empty for Java's defaults
 */
record RegistryCredentials(Optional<String> authorization, Optional<RegistryTls> tls) {
  private static final String PREFIX = "schema.registry.";
  private static final String BASIC_SOURCE = "basic.auth.credentials.source";
  private static final String USER_INFO = "basic.auth.user.info";
  private static final String BEARER_SOURCE = "bearer.auth.credentials.source";
  private static final String TOKEN = "bearer.auth.token";
  private static final ConfigDef SSL = ssl();

  private static ConfigDef ssl() {
    ConfigDef ssl = new ConfigDef();
    SslConfigs.addClientSslSupport(ssl);
    return ssl;
  }

  /** The names of the settings that it reads, after {@code schema.registry.}. */
  static Set<String> names() {
    Set<String> names = new TreeSet<>(SSL.names());
    // It names a class, which ours does not use.
    names.remove(SslConfigs.SSL_ENGINE_FACTORY_CLASS_CONFIG);
    names.addAll(Set.of(BASIC_SOURCE, USER_INFO, BEARER_SOURCE, TOKEN));
    return names;
  }

  /**
   * @param configuration of a serializer: keys with the prefix {@code schema.registry.}; those of
   *     credentials may stand without it
   * @throws UsageException where they contradict each other or a store cannot be read
   */
  static RegistryCredentials of(Map<String, ?> configuration) {
    return new RegistryCredentials(authorization(configuration), tls(configuration));
  }

  private static Optional<String> authorization(Map<String, ?> configuration) {
    Optional<String> user = text(configuration, USER_INFO);
    Optional<String> token = text(configuration, TOKEN);
    String basic = text(configuration, BASIC_SOURCE).orElse(user.isPresent() ? "USER_INFO" : "URL");
    String bearer = text(configuration, BEARER_SOURCE).orElse("STATIC_TOKEN");
    require(BASIC_SOURCE, basic, Set.of("URL", "USER_INFO"));
    require(BEARER_SOURCE, bearer, Set.of("STATIC_TOKEN"));
    boolean isUser = basic.equals("USER_INFO");
    if (isUser && user.isEmpty()) {
      throw new UsageException(
          PREFIX + BASIC_SOURCE + " is USER_INFO, and " + PREFIX + USER_INFO + " is not set");
    }
    if (user.isPresent() && (!isUser || !user.get().contains(":"))) {
      throw new UsageException(
          PREFIX
              + USER_INFO
              + (isUser
                  ? " is not user:password"
                  : " is set, and " + PREFIX + BASIC_SOURCE + " is URL; choose one"));
    }
    if (user.isPresent() && token.isPresent()) {
      throw new UsageException(
          PREFIX + USER_INFO + " and " + PREFIX + TOKEN + " are both set; choose one");
    }
    return token
        .map(value -> "Bearer " + value)
        .or(
            () ->
                user.map(
                    value -> "Basic " + Base64.getEncoder().encodeToString(value.getBytes(UTF_8))));
  }

  private static void require(String name, String value, Set<String> supported) {
    if (!supported.contains(value)) {
      throw new UsageException(
          PREFIX
              + name
              + ": Millrace's own client knows only "
              + String.join(" and ", new TreeSet<>(supported))
              + "; Confluent's classes know others (docs/deployment.md)");
    }
  }

  private static Optional<String> text(Map<String, ?> configuration, String name) {
    Object value = configuration.get(PREFIX + name);
    if (value == null) {
      value = configuration.get(name);
    }
    return Optional.ofNullable(value)
        .map(String::valueOf)
        .map(String::strip)
        .filter(v -> !v.isEmpty());
  }

  private static Optional<RegistryTls> tls(Map<String, ?> configuration) {
    Map<String, Object> set = new HashMap<>();
    for (String name : SSL.names()) {
      Object value = configuration.get(PREFIX + name);
      if (value != null) {
        set.put(name, value);
      }
    }
    if (set.isEmpty()) {
      return Optional.empty();
    }
    Object check = set.get(SslConfigs.SSL_ENDPOINT_IDENTIFICATION_ALGORITHM_CONFIG);
    if (check != null && !"https".equalsIgnoreCase(String.valueOf(check).strip())) {
      throw new UsageException(
          PREFIX
              + SslConfigs.SSL_ENDPOINT_IDENTIFICATION_ALGORITHM_CONFIG
              + ": Millrace's own client always checks that the certificate is the host's: leave it"
              + " out");
    }
    try (DefaultSslEngineFactory factory = new DefaultSslEngineFactory()) {
      Map<String, Object> values = new HashMap<>(new AbstractConfig(SSL, set, false).values());
      factory.configure(values);
      SSLContext context = factory.sslContext();
      SSLParameters parameters =
          factory
              .createClientSslEngine(
                  "",
                  0,
                  (String) values.get(SslConfigs.SSL_ENDPOINT_IDENTIFICATION_ALGORITHM_CONFIG))
              .getSSLParameters();
      return Optional.of(new RegistryTls(context, parameters));
    } catch (ConfigException e) {
      throw new UsageException(PREFIX + "ssl.*: " + e.getMessage(), e);
    } catch (KafkaException e) {
      throw new UsageException(PREFIX + "ssl.*: " + Failures.describe(e), e);
    }
  }
}
