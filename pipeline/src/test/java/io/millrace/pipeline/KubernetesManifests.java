package io.millrace.pipeline;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonDeserializer;
import com.google.gson.JsonElement;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.networknt.schema.Error;
import com.networknt.schema.InputFormat;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import io.kubernetes.client.openapi.models.V1ConfigMap;
import io.kubernetes.client.openapi.models.V1Deployment;
import io.kubernetes.client.openapi.models.V1Job;
import io.kubernetes.client.openapi.models.V1PersistentVolumeClaim;
import io.kubernetes.client.openapi.models.V1PodDisruptionBudget;
import io.kubernetes.client.openapi.models.V1PodTemplateSpec;
import io.kubernetes.client.openapi.models.V1Service;
import io.kubernetes.client.openapi.models.V1StatefulSet;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;

/** Resources of Kubernetes, and what its published definitions say of them. */
final class KubernetesManifests {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String FLINK_DEFINITION =
      "/META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml";

  /** Throws where a field is unknown or missing. */
  private interface Check {
    void of(JsonElement resource) throws IOException;
  }

  private record Definition(Class<?> type, Check check) {}

  private static final Map<String, Definition> DEFINITIONS =
      Map.of(
          "v1 ConfigMap",
          new Definition(V1ConfigMap.class, V1ConfigMap::validateJsonElement),
          "v1 PersistentVolumeClaim",
          new Definition(
              V1PersistentVolumeClaim.class, V1PersistentVolumeClaim::validateJsonElement),
          "v1 Service",
          new Definition(V1Service.class, V1Service::validateJsonElement),
          "apps/v1 StatefulSet",
          new Definition(V1StatefulSet.class, V1StatefulSet::validateJsonElement),
          "apps/v1 Deployment",
          new Definition(V1Deployment.class, V1Deployment::validateJsonElement),
          "batch/v1 Job",
          new Definition(V1Job.class, V1Job::validateJsonElement),
          "policy/v1 PodDisruptionBudget",
          new Definition(V1PodDisruptionBudget.class, V1PodDisruptionBudget::validateJsonElement));

  private static final Definition POD_TEMPLATE =
      new Definition(V1PodTemplateSpec.class, V1PodTemplateSpec::validateJsonElement);

  /**
   * Reads into the definitions' types, so that each value is of the right one. No file has dates.
   */
  private static final Gson TYPED =
      new GsonBuilder()
          .registerTypeAdapter(
              OffsetDateTime.class,
              (JsonDeserializer<OffsetDateTime>)
                  (json, type, context) -> OffsetDateTime.parse(json.getAsString()))
          .create();

  private KubernetesManifests() {}

  /** The documents of a YAML file. */
  static List<JsonNode> read(String yaml) {
    List<JsonNode> resources = new ArrayList<>();
    new Yaml(new SafeConstructor(new LoaderOptions()))
        .loadAll(yaml)
        .forEach(resource -> resources.add(JSON.valueToTree(resource)));
    return resources;
  }

  /**
   * What kustomize makes of a folder, of what is used here: resources, components, labels,
   * replicas, and patches that merge mappings or are of JSON Patch's operations add and replace.
   */
  static Map<String, JsonNode> render(Path folder) throws IOException {
    Map<String, JsonNode> resources = new TreeMap<>();
    apply(folder, resources);
    return resources;
  }

  private static void apply(Path folder, Map<String, JsonNode> resources) throws IOException {
    JsonNode kustomization = read(Files.readString(folder.resolve("kustomization.yaml"))).get(0);
    for (JsonNode resource : kustomization.path("resources")) {
      Path path = folder.resolve(resource.asText());
      if (Files.isDirectory(path)) {
        resources.putAll(render(path));
      } else {
        read(Files.readString(path)).forEach(each -> resources.put(key(each), each));
      }
    }
    for (JsonNode component : kustomization.path("components")) {
      apply(folder.resolve(component.asText()), resources);
    }
    for (JsonNode patch : kustomization.path("patches")) {
      if (patch.has("path")) {
        JsonNode over = read(Files.readString(folder.resolve(patch.get("path").asText()))).get(0);
        merge((ObjectNode) find(resources, key(over)), over);
      } else {
        String target = patch.at("/target/kind").asText() + " " + patch.at("/target/name").asText();
        for (JsonNode operation : read(patch.get("patch").asText()).get(0)) {
          change(find(resources, target), operation);
        }
      }
    }
    for (JsonNode replicas : kustomization.path("replicas")) {
      JsonNode spec = find(resources, "StatefulSet " + replicas.get("name").asText()).get("spec");
      ((ObjectNode) spec).set("replicas", replicas.get("count"));
    }
    for (JsonNode labels : kustomization.path("labels")) {
      for (JsonNode resource : resources.values()) {
        ((ObjectNode) resource.get("metadata"))
            .withObject("/labels")
            .setAll((ObjectNode) labels.get("pairs"));
      }
    }
  }

  private static JsonNode find(Map<String, JsonNode> resources, String key) {
    JsonNode found = resources.get(key);
    if (found == null) {
      throw new AssertionError("a patch is for " + key + ", which is not there");
    }
    return found;
  }

  /** Kind and name. */
  static String key(JsonNode resource) {
    return resource.path("kind").asText() + " " + resource.at("/metadata/name").asText();
  }

  private static void merge(ObjectNode under, JsonNode over) {
    over.properties()
        .forEach(
            field -> {
              JsonNode before = under.get(field.getKey());
              if (before instanceof ObjectNode inner && field.getValue().isObject()) {
                merge(inner, field.getValue());
              } else {
                under.set(field.getKey(), field.getValue());
              }
            });
  }

  private static void change(JsonNode resource, JsonNode operation) {
    String path = operation.get("path").asText();
    int last = path.lastIndexOf('/');
    JsonNode parent = resource.at(path.substring(0, last));
    boolean replaces = operation.get("op").asText().equals("replace");
    String place = path.substring(last + 1);
    if (replaces == resource.at(path).isMissingNode() || parent.isMissingNode()) {
      throw new AssertionError("cannot apply " + operation);
    }
    if (parent instanceof ArrayNode list) {
      if (replaces) {
        list.set(Integer.parseInt(place), operation.get("value"));
      } else {
        list.add(operation.get("value"));
      }
    } else {
      ((ObjectNode) parent).set(place, operation.get("value"));
    }
  }

  /** What is wrong with a resource, a line each; empty where nothing is. */
  static List<String> faults(JsonNode resource) throws IOException {
    String kind = resource.path("apiVersion").asText() + " " + resource.path("kind").asText();
    String name = kind + " " + resource.at("/metadata/name").asText() + ": ";
    List<String> faults = new ArrayList<>();
    if (kind.equals("flink.apache.org/v1beta1 FlinkDeployment")) {
      for (Error error : flinkDeployment().validate(resource.toString(), InputFormat.JSON)) {
        faults.add(name + error);
      }
      check(POD_TEMPLATE, resource.at("/spec/podTemplate"), name + "podTemplate: ", faults);
    } else if (DEFINITIONS.containsKey(kind)) {
      check(DEFINITIONS.get(kind), resource, name, faults);
    } else {
      faults.add(name + "there is no definition of it here");
    }
    return faults;
  }

  private static void check(
      Definition definition, JsonNode resource, String name, List<String> faults)
      throws IOException {
    JsonElement json = JsonParser.parseString(resource.toString());
    try {
      definition.check().of(json);
      TYPED.fromJson(json, definition.type());
    } catch (IllegalArgumentException | JsonParseException e) {
      faults.add(name + e.getMessage());
    }
  }

  /** The operator's definition, closed to fields that it does not name, as a cluster would be. */
  private static Schema flinkDeployment() throws IOException {
    try (InputStream in = KubernetesManifests.class.getResourceAsStream(FLINK_DEFINITION)) {
      JsonNode definition =
          JSON.valueToTree(new Yaml(new SafeConstructor(new LoaderOptions())).load(in));
      ObjectNode schema = (ObjectNode) definition.at("/spec/versions/0/schema/openAPIV3Schema");
      ObjectNode properties = (ObjectNode) schema.get("properties");
      for (String name : List.of("apiVersion", "kind", "metadata")) {
        properties.putObject(name);
      }
      // The release on Maven Central is older than Flink 2; all else is held against it.
      ((ArrayNode) schema.at("/properties/spec/properties/flinkVersion/enum")).add("v2_3");
      close(schema);
      return SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_4)
          .getSchema(schema.toString(), InputFormat.JSON);
    }
  }

  private static void close(JsonNode schema) {
    if (schema.has("properties")
        && !schema.has("additionalProperties")
        && !schema.path("x-kubernetes-preserve-unknown-fields").asBoolean()) {
      ((ObjectNode) schema).put("additionalProperties", false);
    }
    schema.forEach(KubernetesManifests::close);
  }
}
