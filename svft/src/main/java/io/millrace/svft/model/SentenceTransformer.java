package io.millrace.svft.model;

import com.fasterxml.jackson.databind.JsonNode;
import io.millrace.svft.tensor.Safetensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * The files that sentence-transformers adds to a Hugging Face directory. Every setting in them that
 * changes a text's vector is honoured or refused, and so is every setting that is not known.
 *
 * <p>{@code modules.json} lists the modules that process a text. One of them is the pooling, which
 * has a {@code config.json} of its own. A final normalisation to length 1 is accepted but not
 * applied, because the trained head takes the vector without it.
 *
 * @param maxTokens the longest sequence, if a file states it
 * @param poolingFile the file that describes the pooling, if there is one
 * @param width of the pooled vectors, if that file states it
 */
record SentenceTransformer(
    Pooling pooling,
    Optional<Long> maxTokens,
    boolean lowerCase,
    Optional<Path> poolingFile,
    Optional<JsonNode> width) {
  private static final String MODULES = "modules.json";
  private static final String PROMPTS = "config_sentence_transformers.json";
  private static final Map<String, Pooling> MODES =
      Map.of("mean", Pooling.MEAN, "cls", Pooling.FIRST_TOKEN);

  /** The file of the transformer's settings. Old releases named it after the family. */
  private static final List<String> TRANSFORMER =
      List.of(
          "sentence_bert_config.json",
          "sentence_roberta_config.json",
          "sentence_distilbert_config.json",
          "sentence_camembert_config.json",
          "sentence_albert_config.json",
          "sentence_xlm-roberta_config.json",
          "sentence_xlnet_config.json");

  private record PoolingModule(Pooling how, Optional<Path> file, Optional<JsonNode> width) {}

  /**
   * Reads the files of a directory, as far as it has them.
   *
   * @param own whether Millrace wrote the directory: then its head, a dense module, is left out,
   *     and {@code unsaid} is the pooling of a directory that has none of these files
   */
  static SentenceTransformer read(Path directory, boolean own, Pooling unsaid) throws IOException {
    PoolingModule pooling = pooling(directory, own, unsaid);
    requireNoPrompt(directory.resolve(PROMPTS));
    Optional<SettingsFile> settings = transformer(directory);
    return new SentenceTransformer(
        pooling.how(),
        settings.flatMap(file -> file.count("max_seq_length")),
        settings.map(file -> file.flag("do_lower_case", false)).orElse(false),
        pooling.file(),
        pooling.width());
  }

  /** The settings of the transformer module, checked. */
  private static Optional<SettingsFile> transformer(Path directory) throws IOException {
    for (String name : TRANSFORMER) {
      Path path = directory.resolve(name);
      if (Files.exists(path)) {
        SettingsFile file = new SettingsFile(path);
        for (String arguments :
            List.of("model_args", "tokenizer_args", "config_args", "processing_kwargs")) {
          file.requireEmpty(arguments);
        }
        file.requireText("transformer_task", "feature-extraction");
        file.requireText("module_output_name", "token_embeddings");
        file.requireText("method_output_name", "last_hidden_state");
        requireTextModality(file);
        file.flag("unpad_inputs", false);
        file.requireKnown(Set.of("max_seq_length", "do_lower_case"));
        return Optional.of(file);
      }
    }
    return Optional.empty();
  }

  /** What newer releases write about each kind of input: a text gives its last hidden states. */
  private static void requireTextModality(SettingsFile file) {
    JsonNode text = file.value("modality_config").path("text");
    file.requireThat(
        "modality_config",
        text.isMissingNode()
            || (text.path("method").asText("forward").equals("forward")
                && text.path("method_output_name")
                    .asText("last_hidden_state")
                    .equals("last_hidden_state")),
        "only a text's last_hidden_state of forward is supported");
  }

  /** Refuses a prompt that sentence-transformers puts before every text. */
  private static void requireNoPrompt(Path path) throws IOException {
    if (!Files.exists(path)) {
      return;
    }
    SettingsFile file = new SettingsFile(path);
    JsonNode prompts = file.value("prompts");
    JsonNode name = file.value("default_prompt_name");
    boolean none = name.isMissingNode() || name.isNull();
    JsonNode prompt = prompts.path(name.asText());
    file.requireThat(
        "default_prompt_name",
        none || (name.isTextual() && prompt.isTextual() && prompt.asText().isEmpty()),
        "a prompt before every text is not supported; only null is, or the name of an empty prompt");
    file.requireText("model_type", "SentenceTransformer");
    file.requireKnown(Set.of("__version__", "prompts", "similarity_fn_name"));
  }

  private static PoolingModule pooling(Path directory, boolean own, Pooling unsaid)
      throws IOException {
    Path modules = directory.resolve(MODULES);
    Path pooling = directory.resolve("1_Pooling");
    if (Files.exists(modules)) {
      pooling = poolingModule(directory, modules, own);
    } else if (!Files.exists(pooling)) {
      return new PoolingModule(unsaid, Optional.empty(), Optional.empty());
    }
    Path file = pooling.resolve("config.json");
    if (!Files.isRegularFile(file)) {
      throw new ModelException(file + " is missing");
    }
    return pooling(new SettingsFile(file));
  }

  private static Path poolingModule(Path directory, Path file, boolean own) throws IOException {
    JsonNode modules = ConfigFile.json(file);
    Path pooling = null;
    for (JsonNode module : modules) {
      String type = Safetensors.oneLine(module.path("type").asText());
      String path = Safetensors.oneLine(module.path("path").asText());
      if (!module.path("kwargs").isEmpty()) {
        throw new ModelException(
            "%s: field kwargs of the module \"%s\" is %s; not supported"
                .formatted(file, type, Safetensors.oneLine(module.path("kwargs").toString())));
      }
      switch (type.substring(type.lastIndexOf('.') + 1)) {
        case "Transformer" -> {
          if (!path.isEmpty()) {
            throw elsewhere(file, path);
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
        case "Dense" -> {
          if (!own) {
            throw unsupported(file, type);
          }
        }
        default -> throw unsupported(file, type);
      }
    }
    if (pooling == null) {
      throw new ModelException(file + ": there is no Pooling module");
    }
    return pooling;
  }

  /**
   * Refuses a directory whose transformer lies in a folder of its own, if {@code modules.json} says
   * so.
   */
  static void requireTransformerBeside(Path directory) throws IOException {
    Path file = directory.resolve(MODULES);
    if (!Files.exists(file)) {
      return;
    }
    for (JsonNode module : ConfigFile.json(file)) {
      String path = Safetensors.oneLine(module.path("path").asText());
      if (module.path("type").asText().endsWith(".Transformer") && !path.isEmpty()) {
        throw elsewhere(file, path);
      }
    }
  }

  private static ModelException elsewhere(Path file, String path) {
    return new ModelException(
        "%s: the transformer lies in %s, which is not supported: it lies beside the file; sentence-transformers wrote this layout before release 1.0: load it with a newer one and save it again"
            .formatted(file, path));
  }

  private static ModelException unsupported(Path file, String type) {
    return new ModelException(
        "%s: module \"%s\" is not supported; supported are Transformer, Pooling, Normalize"
            .formatted(file, type));
  }

  private static PoolingModule pooling(SettingsFile file) {
    TreeSet<String> modes = new TreeSet<>();
    JsonNode mode = file.value("pooling_mode");
    if (mode.isTextual()) {
      modes.add(mode.asText());
    } else {
      mode.forEach(each -> modes.add(each.asText()));
    }
    // The named pooling overrides the flags; without it, the mean is on unless its flag is false.
    if (modes.isEmpty() && file.flag("pooling_mode_mean_tokens", true)) {
      modes.add("mean");
    }
    boolean named = !mode.isMissingNode() && !mode.isNull();
    for (String flag : file.names("pooling_mode_")) {
      if (file.flag(flag, false) && !named) {
        modes.add(flag.replaceAll("^pooling_mode_|_tokens?$", ""));
      }
    }
    if (modes.size() != 1 || !MODES.containsKey(modes.first())) {
      throw new ModelException(
          "%s: pooling %s is not supported; supported is one of mean and cls"
              .formatted(file.path(), Safetensors.oneLine(modes.toString())));
    }
    file.requireThat(
        "include_prompt",
        file.flag("include_prompt", true),
        "only true is supported, because there are no prompts");
    JsonNode width =
        file.value(
            file.value("word_embedding_dimension").isMissingNode()
                ? "embedding_dimension"
                : "word_embedding_dimension");
    file.requireKnown(Set.of("word_embedding_dimension", "embedding_dimension"));
    return new PoolingModule(
        MODES.get(modes.first()),
        Optional.of(file.path()),
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
