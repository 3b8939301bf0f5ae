package io.millrace.svft;

import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.Torch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.annotation.Annotation;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * Gives a test the base model that it asks for, with all weights as their factors. Each model is
 * loaded once per JVM and freed after the last test.
 */
public final class Models implements ParameterResolver {
  /** all-MiniLM-L6-v2. */
  @Retention(RetentionPolicy.RUNTIME)
  public @interface MiniLm {}

  /** bge-small-en-v1.5. */
  @Retention(RetentionPolicy.RUNTIME)
  public @interface BgeSmall {}

  /** {@link TinyModel}. */
  @Retention(RetentionPolicy.RUNTIME)
  public @interface Tiny {}

  private static final Map<Class<? extends Annotation>, Supplier<ModelFiles>> KNOWN =
      Map.of(
          MiniLm.class, Models::miniLm,
          BgeSmall.class, () -> prepared(ModelStore.BGE_SMALL),
          Tiny.class, () -> tinyFiles(TinyModel.CONFIG));

  private static final Map<EncoderConfig, ModelFiles> TINY = new ConcurrentHashMap<>();

  /** The store that all tests of a build share, so that each model is factorised once. */
  public static ModelStore store() {
    return new ModelStore(Path.of(System.getProperty("millrace.test.models")));
  }

  public static ModelFiles miniLm() {
    return prepared(ModelStore.MINILM);
  }

  public static ModelFiles prepared(String name) {
    return store().prepare(name, (model, done, total) -> {});
  }

  /**
   * A tiny model of a given shape, loaded with the factors that the method needs. The caller closes
   * it.
   */
  public static BaseModel tiny(EncoderConfig config, AdapterMethod method) {
    return BaseModel.load(tinyFiles(config), Torch.device("cpu"), method.factored());
  }

  /** As {@link #tiny(EncoderConfig, AdapterMethod)}, with kernels that are named. */
  public static BaseModel tiny(EncoderConfig config, AdapterMethod method, Kernels kernels) {
    return BaseModel.load(tinyFiles(config), Torch.device("cpu"), method.factored(), kernels);
  }

  private static ModelFiles tinyFiles(EncoderConfig config) {
    return TINY.computeIfAbsent(config, Models::create);
  }

  private static ModelFiles create(EncoderConfig config) {
    String name =
        "%s-%s-%d-%d"
            .formatted(
                config.architecture().id(),
                config.pooling().id(),
                config.layers(),
                config.hidden());
    try {
      Path directory = Files.createDirectories(Path.of("target", "tiny-model", name));
      return TinyModel.create(directory, config);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
    return KNOWN.keySet().stream().anyMatch(parameter::isAnnotated);
  }

  @Override
  public BaseModel resolveParameter(ParameterContext parameter, ExtensionContext context) {
    Class<? extends Annotation> asked =
        KNOWN.keySet().stream().filter(parameter::isAnnotated).findFirst().orElseThrow();
    return context
        .getRoot()
        .getStore(ExtensionContext.Namespace.create(Models.class))
        .computeIfAbsent(
            asked,
            key -> BaseModel.load(KNOWN.get(key).get(), Torch.device("cpu")),
            BaseModel.class);
  }
}
