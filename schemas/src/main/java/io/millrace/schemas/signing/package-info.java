/**
 * Signatures of versions with Ed25519 keys: how they are made, and which are trusted.
 *
 * <p>When a version is signed or checked is decided by those who publish and serve it.
 */
package io.millrace.schemas.signing;
