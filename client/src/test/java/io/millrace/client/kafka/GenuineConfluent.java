package io.millrace.client.kafka;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.Encoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;

/**
 * Confluent's own serializer and deserializer of generic records. {@link #load} makes one in a
 * class loader that holds Confluent's classes with the Kafka and Avro they were built for and
 * nothing of Millrace but this class; between there and here only classes of the JDK pass, and
 * records as JSON.
 */
public final class GenuineConfluent {
  static final String PACKAGE = "io.confluent.kafka.serializers.";

  private GenuineConfluent() {}

  /** Topic and record as JSON, to bytes. */
  public static final class Writer implements BiFunction<String, String, byte[]> {
    private final Serializer<Object> serializer;
    private final Schema schema;

    public Writer(String registryUrl, String schema) throws ReflectiveOperationException {
      this.serializer = create("KafkaAvroSerializer");
      serializer.configure(Map.of("schema.registry.url", registryUrl), false);
      this.schema = new Schema.Parser().parse(schema);
    }

    @Override
    public byte[] apply(String topic, String json) {
      try {
        GenericRecord record =
            new GenericDatumReader<GenericRecord>(schema)
                .read(null, DecoderFactory.get().jsonDecoder(schema, json));
        return serializer.serialize(topic, record);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /** Topic and bytes, to the record as JSON. */
  public static final class Reader implements BiFunction<String, byte[], String> {
    private final Deserializer<Object> deserializer;

    public Reader(String registryUrl) throws ReflectiveOperationException {
      this.deserializer = create("KafkaAvroDeserializer");
      deserializer.configure(Map.of("schema.registry.url", registryUrl), false);
    }

    @Override
    public String apply(String topic, byte[] bytes) {
      GenericRecord record = (GenericRecord) deserializer.deserialize(topic, bytes);
      try {
        ByteArrayOutputStream json = new ByteArrayOutputStream();
        Encoder encoder = EncoderFactory.get().jsonEncoder(record.getSchema(), json);
        new GenericDatumWriter<GenericRecord>(record.getSchema()).write(record, encoder);
        encoder.flush();
        return json.toString(StandardCharsets.UTF_8);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /** A {@link Writer} or {@link Reader}, as {@code type} says, made apart from everything here. */
  @SuppressWarnings("unchecked")
  static <T> T load(Class<? extends T> type, Object... arguments)
      throws IOException, ReflectiveOperationException {
    List<URL> urls = new ArrayList<>(jars());
    urls.add(Path.of("target/test-classes").toUri().toURL());
    ClassLoader apart =
        new URLClassLoader(urls.toArray(URL[]::new), ClassLoader.getPlatformClassLoader());
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(apart);
    try {
      return (T) apart.loadClass(type.getName()).getConstructors()[0].newInstance(arguments);
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  /** A class loader where Confluent's classes stand beside ours, as the build profile puts them. */
  static URLClassLoader beside() throws IOException {
    return new URLClassLoader(jars().toArray(URL[]::new), GenuineConfluent.class.getClassLoader());
  }

  static List<URL> jars() throws IOException {
    List<URL> jars = new ArrayList<>();
    Path bundle = Path.of("target/confluent/META-INF/bundled-dependencies");
    try (DirectoryStream<Path> files = Files.newDirectoryStream(bundle, "*.jar")) {
      for (Path file : files) {
        jars.add(file.toUri().toURL());
      }
    }
    return jars;
  }

  @SuppressWarnings("unchecked")
  private static <T> T create(String name) throws ReflectiveOperationException {
    return (T) Class.forName(PACKAGE + name).getDeclaredConstructor().newInstance();
  }
}
