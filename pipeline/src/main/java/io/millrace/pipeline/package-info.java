/**
 * The job and everything around it: the command line, the embedded stack, replay and comparison.
 * Its parts are in the packages below; this package itself holds no class.
 *
 * <p>The arrows run one way: {@code settings}, {@code records}, {@code input}, {@code report},
 * {@code embedded} and {@code console} know none of the others; {@code job} knows {@code settings}
 * and {@code records}; {@code submission} knows {@code job}; {@code adapters}, {@code replay},
 * {@code compare} and {@code demo} use these; {@code cli} knows all of them, and none of them knows
 * {@code cli}.
 */
package io.millrace.pipeline;
