package io.millrace.svft.model;

import com.fasterxml.jackson.databind.JsonNode;
import io.millrace.svft.tensor.Safetensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/**
 * The files that sentence-transformers adds to a Hugging Face directory. {@code modules.json} lists
 * the modules that process a text. One of them is the pooling, which has a {@code config.json} of
 * its own.
 *
 * <p>A final normalisation to length 1 is accepted but not applied, because the trained head takes
 * the vector without it.
 *
 * @param poolingFile the file that describes the pooling; empty for the default, the mean
 * @param width of the pooled vectors, if that file states it
 */
record SentenceTransformer(Pooling pooling, Optional<Path> poolingFile, Optional<JsonNode> width) {
  private static final String MODULES = "modules.json";
  private static final Map<String, Pooling> MODES =
      Map.of("mean", Pooling.MEAN, "cls", Pooling.FIRST_TOKEN);

  static SentenceTransformer read(Path directory) throws IOException {
    Path modules = directory.resolve(MODULES);
    Path pooling = directory.resolve("1_Pooling");
    if (Files.exists(modules)) {
      pooling = poolingModule(directory, modules);
    } else if (!Files.exists(pooling)) {
      return new SentenceTransformer(Pooling.MEAN, Optional.empty(), Optional.empty());
    }
    Path file = pooling.resolve("config.json");
    if (!Files.isRegularFile(file)) {
      throw new ModelException(file + " is missing");
    }
    return pooling(file);
  }

  private static Path poolingModule(Path directory, Path file) throws IOException {
    JsonNode modules = ConfigFile.json(file);
    Path pooling = null;
    for (JsonNode module : modules) {
      String type = Safetensors.oneLine(module.path("type").asText());
      String path = Safetensors.oneLine(module.path("path").asText());
      switch (type.substring(type.lastIndexOf('.') + 1)) {
        case "Transformer" -> {
          if (!path.isEmpty()) {
            throw new ModelException(
                "%s: the transformer lies in %s, which is not supported; it lies beside the file"
                    .formatted(file, path));
          }
        }
        case "Pooling" -> {
          Path named = directory.resolve(path).normalize();
          if (pooling != null || !named.startsWith(directory)) {
            throw new ModelException(
                file + ": there is one pooling, in a folder of the directory; not " + path);
          }
          pooling = named;
        }
        case "Normalize" -> {}
        default ->
            throw new ModelException(
                "%s: module \"%s\" is not supported; supported are Transformer, Pooling, Normalize"
                    .formatted(file, type));
      }
    }
    if (pooling == null) {
      throw new ModelException(file + ": there is no Pooling module");
    }
    return pooling;
  }

  private static SentenceTransformer pooling(Path file) throws IOException {
    JsonNode config = ConfigFile.object(file);
    TreeSet<String> modes = new TreeSet<>();
    config
        .properties()
        .forEach(
            field -> {
              String name = field.getKey();
              if (name.startsWith("pooling_mode_") && field.getValue().asBoolean()) {
                modes.add(name.replaceAll("^pooling_mode_|_tokens?$", ""));
              }
            });
    JsonNode mode = config.path("pooling_mode");
    if (mode.isTextual()) {
      modes.add(mode.asText());
    } else {
      mode.forEach(each -> modes.add(each.asText()));
    }
    if (modes.size() != 1 || !MODES.containsKey(modes.first())) {
      throw new ModelException(
          "%s: pooling %s is not supported; supported is one of mean and cls"
              .formatted(file, Safetensors.oneLine(modes.toString())));
    }
    JsonNode width =
        config.path(
            config.has("word_embedding_dimension")
                ? "word_embedding_dimension"
                : "embedding_dimension");
    return new SentenceTransformer(
        MODES.get(modes.first()),
        Optional.of(file),
        width.isMissingNode() ? Optional.empty() : Optional.of(width));
  }

  /**
   * Checks that the pooling's width, if stated, is the encoder's.
   *
   * @throws ModelException if it is another
   */
  void requireWidth(int hidden) {
    if (width.isPresent() && !(width.get().isInt() && width.get().asInt() == hidden)) {
      throw new ModelException(
          "%s: the vectors pooled are %s wide, the encoder's %d"
              .formatted(poolingFile.orElseThrow(), width.get(), hidden));
    }
  }
}
