package io.millrace.client.kafka;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.registry.SchemaRegistry;
import java.io.Serializable;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;

/**
 * The connection to Kafka and the schema registry: addresses, client properties and serializers.
 */
public final class Connection implements Serializable {
  private static final long serialVersionUID = 1L;

  public static final Setting<String> BOOTSTRAP_SERVERS =
      Setting.text(
          "kafka.bootstrap.servers",
          "127.0.0.1:9092",
          "Kafka brokers, host:port, separated by commas.");

  public static final Setting<String> REGISTRY_URL =
      Setting.text(
          "schema.registry.url",
          "http://127.0.0.1:8081/apis/ccompat/v7",
          "The schema registry: any that speaks Confluent's REST interface.");

  public static final Setting<String> VALUE_SERIALIZER =
      Setting.text(
          "kafka.value.serializer",
          AvroRecordSerializer.class.getName(),
          "The class that writes records; io.confluent.kafka.serializers.KafkaAvroSerializer with"
              + " the build profile confluent.");

  public static final Setting<String> VALUE_DESERIALIZER =
      Setting.text(
          "kafka.value.deserializer",
          AvroRecordDeserializer.class.getName(),
          "The class that reads records; io.confluent.kafka.serializers.KafkaAvroDeserializer with"
              + " the build profile confluent.");

  private static final Setting<String> KAFKA =
      Setting.handedOn(
          "kafka.",
          KafkaNames::known,
          "Any other setting of Kafka's clients goes to them as it is, such as"
              + " kafka.security.protocol.");

  private static final Setting<String> REGISTRY =
      Setting.handedOn(
          "schema.registry.",
          Connection::registryNames,
          "Credentials and TLS of the registry, by Confluent's names, such as"
              + " schema.registry.basic.auth.user.info and schema.registry.ssl.truststore.location.");

  /** The settings that a connecting process declares. */
  public static final List<Setting<?>> SETTINGS =
      List.of(
          BOOTSTRAP_SERVERS, REGISTRY_URL, VALUE_SERIALIZER, VALUE_DESERIALIZER, KAFKA, REGISTRY);

  /** Another class than ours may take any setting. */
  private static Optional<Set<String>> registryNames(Map<String, String> set) {
    boolean ours = isOurs(set, VALUE_SERIALIZER) && isOurs(set, VALUE_DESERIALIZER);
    return ours ? Optional.of(RegistryCredentials.names()) : Optional.empty();
  }

  private static boolean isOurs(Map<String, String> set, Setting<String> setting) {
    return set.getOrDefault(setting.key(), setting.defaultValue()).equals(setting.defaultValue());
  }

  private final Settings settings;

  /** As {@code settings}, which declare {@link #SETTINGS}, say. */
  public Connection(Settings settings) {
    this.settings = settings;
  }

  /** Brokers to start from, {@code host:port,host:port}. */
  public String bootstrapServers() {
    return settings.get(BOOTSTRAP_SERVERS);
  }

  /** Where the schema registry is. */
  public String registryUrl() {
    return settings.get(REGISTRY_URL);
  }

  /**
   * For a Kafka producer, consumer or admin client: the brokers and every {@code kafka.*} setting
   * that is handed on. The caller adds its serializers, its group and the like. A new object for
   * each call.
   */
  public Properties properties() {
    Properties properties = new Properties();
    properties.putAll(settings.under("kafka."));
    properties.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, bootstrapServers());
    return properties;
  }

  /**
   * Writes records, as {@link #VALUE_SERIALIZER} says. Whatever the class, it throws {@link
   * RegistryUnavailableException} where trying again can help.
   *
   * @throws UsageException where the class cannot be used
   */
  public Serializer<Object> serializer() {
    Serializer<Object> serializer = create(VALUE_SERIALIZER, Serializer.class);
    serializer.configure(registryConfiguration(), false);
    return new GuardedSerializer(serializer);
  }

  /**
   * Reads records of type {@code type}, as {@link #VALUE_DESERIALIZER} says. Whatever the class, it
   * throws {@link RegistryUnavailableException} where trying again can help and {@link
   * UnreadableRecordException} for everything that is no such record. Null stays null.
   *
   * @throws UsageException where the class cannot be used
   */
  public <T> Deserializer<T> deserializer(Class<T> type) {
    Deserializer<Object> deserializer = create(VALUE_DESERIALIZER, Deserializer.class);
    deserializer.configure(registryConfiguration(), false);
    return new GuardedDeserializer<>(deserializer, type);
  }

  /**
   * Reads the number and the hash of an {@link AdapterVersion}, with the exceptions of {@link
   * #deserializer}. Millrace's own class skips the payload; another one has to read it.
   *
   * @throws UsageException where the class cannot be used
   */
  public Deserializer<VersionRef> versionRefDeserializer() {
    if (settings.get(VALUE_DESERIALIZER).equals(AvroRecordDeserializer.class.getName())) {
      Deserializer<Object> deserializer = AvroRecordDeserializer.ofVersionRefs();
      deserializer.configure(registryConfiguration(), false);
      return new GuardedDeserializer<>(deserializer, VersionRef.class);
    }
    Deserializer<AdapterVersion> whole = deserializer(AdapterVersion.class);
    return (topic, bytes) -> {
      AdapterVersion version = whole.deserialize(topic, bytes);
      return version == null ? null : new VersionRef(version.getVersion(), version.getSha256());
    };
  }

  private Map<String, Object> registryConfiguration() {
    Map<String, Object> configuration = new HashMap<>();
    settings
        .under("schema.registry.")
        .forEach(
            (key, value) -> {
              // Confluent's classes read some settings with the prefix (TLS) and some without
              // (credentials).
              configuration.put("schema.registry." + key, value);
              configuration.put(key, value);
            });
    configuration.put("schema.registry.url", registryUrl());
    configuration.put("specific.avro.reader", true);
    configuration.put("avro.use.logical.type.converters", true);
    configuration.putIfAbsent("auto.register.schemas", true);
    // The schema must not name Java's string type: other clients do not need it, and the same
    // schema would be registered twice.
    configuration.put("avro.remove.java.properties", true);
    return configuration;
  }

  /**
   * The registry that {@code schema.registry.url} of a serializer's configuration names, with the
   * credentials there.
   *
   * @throws UsageException where the address or the credentials cannot be used
   */
  static SchemaRegistry registry(Map<String, ?> configuration) {
    String url = String.valueOf(configuration.get(REGISTRY_URL.key()));
    RegistryCredentials credentials = RegistryCredentials.of(configuration);
    try {
      return new SchemaRegistry(url, credentials.authorization(), credentials.tls());
    } catch (IllegalArgumentException e) {
      // The cause would show the credentials that this leaves out.
      String shown = Setting.quoted(url.replaceAll("//.*@", "//"));
      throw new UsageException(REGISTRY_URL.key() + ": " + shown + " is not an http or https URL");
    }
  }

  @SuppressWarnings("unchecked")
  private <T> T create(Setting<String> setting, Class<? super T> type) {
    String name = settings.get(setting);
    try {
      ClassLoader context = Thread.currentThread().getContextClassLoader();
      ClassLoader loader = context == null ? Connection.class.getClassLoader() : context;
      Class<?> found = Class.forName(name, true, loader);
      return (T) found.asSubclass(type).getDeclaredConstructor().newInstance();
    } catch (ClassNotFoundException | NoClassDefFoundError e) {
      throw new UsageException(
          setting.key() + ": " + Setting.quoted(name) + " is not on the class path", e);
    } catch (ReflectiveOperationException | ClassCastException e) {
      throw new UsageException(
          setting.key()
              + ": "
              + Setting.quoted(name)
              + " is no "
              + type.getSimpleName()
              + " with a public constructor",
          e);
    }
  }
}
