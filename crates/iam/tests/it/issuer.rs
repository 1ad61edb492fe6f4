//! An issuer of identity tokens in memory: it signs, publishes its keys, and counts how often it is asked.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use iam::{Fetched, IssuerDocuments, NotFetched};
use serde_json::{Value, json};

/// Without scheme, as condition keys begin.
pub(crate) const HOST: &str = "issuer.example/ci";
pub(crate) const ISSUER: &str = "https://issuer.example/ci";
pub(crate) const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/issuer.example/ci";
pub(crate) const DISCOVERY: &str = "https://issuer.example/ci/.well-known/openid-configuration";
pub(crate) const JWKS: &str = "https://keys.example/jwks";

/// What stands at an address.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Document(String, Option<Duration>),
    Down,
}

/// The documents of all issuers.
#[derive(Debug, Default)]
pub(crate) struct Issuers {
    documents: Mutex<HashMap<String, Answer>>,
    asked: Mutex<Vec<String>>,
}

impl Issuers {
    pub(crate) fn put(&self, url: &str, answer: Answer) {
        self.documents
            .lock()
            .unwrap()
            .insert(url.to_owned(), answer);
    }

    pub(crate) fn put_json(&self, url: &str, document: &Value) {
        self.put(url, Answer::Document(document.to_string(), None));
    }

    /// The issuer at [`ISSUER`] with these keys.
    pub(crate) fn publish(&self, keys: &[&Key]) {
        self.put_json(DISCOVERY, &json!({"issuer": ISSUER, "jwks_uri": JWKS}));
        let keys: Vec<Value> = keys.iter().map(|key| key.public()).collect();
        self.put_json(JWKS, &json!({"keys": keys}));
    }

    /// How often anything was asked for since the last time.
    pub(crate) fn asked(&self) -> usize {
        std::mem::take(&mut *self.asked.lock().unwrap()).len()
    }
}

impl IssuerDocuments for Issuers {
    fn read<'a>(
        &'a self,
        url: &'a str,
        limit_bytes: u64,
    ) -> Pin<Box<dyn Future<Output = Result<Fetched, NotFetched>> + Send + 'a>> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(url.to_owned());
            // Others come in meanwhile.
            tokio::task::yield_now().await;
            let answer = self.documents.lock().unwrap().get(url).cloned();
            match answer {
                Some(Answer::Document(text, fresh_for)) if text.len() as u64 <= limit_bytes => {
                    Ok(Fetched {
                        body: text.into(),
                        fresh_for,
                    })
                }
                Some(Answer::Down) => Err(NotFetched::Unreachable("down".into())),
                _ => Err(NotFetched::Wrong("no such document".into())),
            }
        })
    }
}

/// A key of an issuer.
pub(crate) struct Key {
    pub(crate) id: &'static str,
    pub(crate) algorithm: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(Arc<RsaKeyPair>),
    Ec(EcdsaKeyPair, &'static str),
}

/// Making one takes long, so all tests share two.
static RSA: LazyLock<[Arc<RsaKeyPair>; 2]> =
    LazyLock::new(|| [(); 2].map(|()| Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())));

impl Key {
    /// The first or second RSA key, under any name.
    pub(crate) fn rsa(which: usize, id: &'static str, algorithm: &'static str) -> Self {
        let pair = Pair::Rsa(Arc::clone(&RSA[which]));
        Self {
            id,
            algorithm,
            pair,
        }
    }

    pub(crate) fn ec(id: &'static str, algorithm: &'static str) -> Self {
        let (signing, curve) = match algorithm {
            "ES256" => (&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            "ES384" => (&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            _ => (&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
        };
        let pair = Pair::Ec(EcdsaKeyPair::generate(signing).unwrap(), curve);
        Self {
            id,
            algorithm,
            pair,
        }
    }

    /// As it stands in a JWK set.
    pub(crate) fn public(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.pair {
            Pair::Rsa(pair) => {
                // PKCS#1 of 2048 bits: 30 82 010a, 02 82 0101 00 and the modulus, 02 03 010001.
                let public = pair.public_key().as_ref();
                assert_eq!(public.len(), 270);
                json!({
                    "kty": "RSA", "kid": self.id, "use": "sig",
                    "n": encode(&public[9..265]), "e": encode(&public[267..]),
                })
            }
            Pair::Ec(pair, curve) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "kid": self.id, "crv": curve, "x": encode(x), "y": encode(y)})
            }
        }
    }

    /// Signs claims under the header that belongs to this key.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": self.algorithm, "kid": self.id, "typ": "JWT"});
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// Signs any header and payload.
    pub(crate) fn sign_text(&self, header: &str, payload: &str) -> String {
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(payload)
        );
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let padding = match self.algorithm {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, signed.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }
            Pair::Ec(pair, _) => {
                let signature = pair.sign(&random, signed.as_bytes()).unwrap();
                signature.as_ref().to_vec()
            }
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
