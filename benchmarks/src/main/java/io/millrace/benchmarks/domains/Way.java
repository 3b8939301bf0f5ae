package io.millrace.benchmarks.domains;

import java.nio.file.Path;
import java.util.List;

/**
 * One way to train on the examples.
 *
 * @param home the directory with {@code bin/millrace}
 * @param name for people
 * @param input the examples
 * @param settings {@code KEY=VALUE}
 * @param compared whether it is to leave every domain as the other ways that are compared do
 */
record Way(Path home, String name, Path input, List<String> settings, boolean compared) {}
