package io.millrace.pipeline;

import io.millrace.testing.TestRules;
import org.junit.jupiter.api.Tag;

@Tag("unit")
class TestRulesTest extends TestRules {}
