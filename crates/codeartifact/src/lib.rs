//! codeartifact
