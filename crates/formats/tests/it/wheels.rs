//! Distributions and forms, made by hand so that what is wrong with them can be chosen.

use std::io::Write as _;

use catalog::Digests;
use flate2::Compression;
use flate2::write::GzEncoder;

/// A wheel of a project with this metadata and these further members.
pub(crate) fn wheel(stem: &str, version: &str, metadata: &str, more: &[(&str, &[u8])]) -> Vec<u8> {
    let directory = format!("{stem}-{version}.dist-info");
    let (info, tags, record) = (
        format!("{directory}/METADATA"),
        format!("{directory}/WHEEL"),
        format!("{directory}/RECORD"),
    );
    let own = [info.as_str(), &tags, &record];
    let mut names: Vec<&str> = more.iter().map(|(name, _)| *name).collect();
    names.extend(own);
    let listed = format!("{},,\n", names.join(",,\n"));
    let mut members = more.to_vec();
    members.push((&info, metadata.as_bytes()));
    members.push((&tags, b"Wheel-Version: 1.0\n"));
    members.push((&record, listed.as_bytes()));
    zip(&members)
}

/// Metadata of a name and version, with further headers.
pub(crate) fn metadata(name: &str, version: &str, more: &str) -> String {
    format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}\n# {name}\n")
}

/// An archive of stored members.
pub(crate) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in members {
        let mut crc = flate2::Crc::new();
        crc.update(data);
        let size = u32::try_from(data.len()).unwrap().to_le_bytes();
        let offset = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let length = u16::try_from(name.len()).unwrap().to_le_bytes();
        let common = [
            &b"\x14\0\0\0\0\0\0\0\0\0"[..],
            &crc.sum().to_le_bytes(),
            &size,
            &size,
            &length,
            &[0, 0],
        ]
        .concat();
        bytes.extend([b"PK\x03\x04", &common[..], name.as_bytes(), data].concat());
        directory.extend(
            [
                b"PK\x01\x02\x14\x03",
                &common[..],
                &[0; 10],
                &offset,
                name.as_bytes(),
            ]
            .concat(),
        );
    }
    let count = u16::try_from(members.len()).unwrap().to_le_bytes();
    let length = u32::try_from(directory.len()).unwrap().to_le_bytes();
    let offset = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    bytes.extend(directory);
    bytes.extend(
        [
            b"PK\x05\x06\0\0\0\0",
            &count[..],
            &count,
            &length,
            &offset,
            &[0, 0],
        ]
        .concat(),
    );
    bytes
}

/// A source distribution: a packed tar archive with this `PKG-INFO`.
pub(crate) fn sdist(directory: &str, metadata: &str) -> Vec<u8> {
    let mut block = [0; 512];
    let name = format!("{directory}/PKG-INFO");
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[124..135].copy_from_slice(format!("{:011o}", metadata.len()).as_bytes());
    block[156] = b'0';
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&block).unwrap();
    encoder.write_all(metadata.as_bytes()).unwrap();
    let padding = metadata.len().next_multiple_of(512) - metadata.len();
    encoder.write_all(&vec![0; padding + 1024]).unwrap();
    encoder.finish().unwrap()
}

/// A form on its way to a repository.
#[derive(Clone)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
    file: Option<(String, Vec<u8>)>,
    file_is_first: bool,
}

impl Form {
    /// What twine sends.
    pub(crate) fn new(name: &str, version: &str, filename: &str, bytes: &[u8]) -> Self {
        let filetype = if filename.strip_suffix(".whl").is_some() {
            "bdist_wheel"
        } else {
            "sdist"
        };
        let digests = Digests::of(bytes);
        let fields = [
            (":action", "file_upload"),
            ("protocol_version", "1"),
            ("name", name),
            ("version", version),
            ("filetype", filetype),
            ("sha256_digest", &digests.sha256),
            ("classifiers", "a"),
            ("classifiers", "b"),
            ("description", "One\r\nTwo"),
            ("unheard_of", "x"),
        ];
        Self {
            fields: fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            file: Some((filename.to_owned(), bytes.to_vec())),
            file_is_first: false,
        }
    }

    /// With another value, or without the field.
    pub(crate) fn with(mut self, name: &str, value: Option<&str>) -> Self {
        self.fields.retain(|(known, _)| known != name);
        if let Some(value) = value {
            self.fields.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// With a field once more.
    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without_file(mut self) -> Self {
        self.file = None;
        self
    }

    pub(crate) fn file_first(mut self) -> Self {
        self.file_is_first = true;
        self
    }

    pub(crate) const CONTENT_TYPE: &str = "multipart/form-data; boundary=a-boundary";

    pub(crate) fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let part = |body: &mut Vec<u8>, head: &str, value: &[u8]| {
            let head = format!("--a-boundary\r\nContent-Disposition: form-data; {head}\r\n\r\n");
            body.extend(head.as_bytes());
            body.extend(value);
            body.extend(b"\r\n");
        };
        let file = |body: &mut Vec<u8>| {
            if let Some((name, bytes)) = &self.file {
                part(
                    body,
                    &format!("name=\"content\"; filename=\"{name}\""),
                    bytes,
                );
            }
        };
        if self.file_is_first {
            file(&mut body);
        }
        for (name, value) in &self.fields {
            part(&mut body, &format!("name=\"{name}\""), value.as_bytes());
        }
        if !self.file_is_first {
            file(&mut body);
        }
        body.extend(b"--a-boundary--\r\n");
        body
    }
}
