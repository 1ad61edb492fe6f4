#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{Cursor, Write as _};

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};

use super::archive::{self, ArchiveError};
use super::document::{File, Page, list};
use super::facts::{CoreMetadata, Facts, ProjectStatus};
use super::filename::Distribution;
use super::index::{Index, IndexError};
use super::negotiate::Form;

const METADATA: &str = "Metadata-Version: 2.1\nName: Acme.Tool\nVersion: 1.0\n";
const WHEEL: &str = "acme_tool-1.0-py3-none-any.whl";

/// A member of an archive that is made for a test, with what is wrong with it.
#[derive(Clone)]
struct Member {
    name: String,
    data: Vec<u8>,
    is_packed: bool,
    /// The name in the header before the data, if it is another.
    local_name: Option<String>,
    flags: u16,
    mode: u32,
    /// The size that the directory states, if it is another.
    stated_bytes: Option<u32>,
}

fn member(name: &str, data: impl AsRef<[u8]>) -> Member {
    Member {
        name: name.to_owned(),
        data: data.as_ref().to_vec(),
        is_packed: false,
        local_name: None,
        flags: 0,
        mode: 0o100_644,
        stated_bytes: None,
    }
}

/// What every wheel has.
fn wheel(metadata: &str) -> Vec<Member> {
    let directory = "acme_tool-1.0.dist-info";
    let record = format!(
        "acme/__init__.py,,\n\"{directory}/METADATA\",,\n{directory}/WHEEL,,\n{directory}/RECORD,,\n"
    );
    let mut metadata = member(&format!("{directory}/METADATA"), metadata);
    metadata.is_packed = true;
    vec![
        member("acme/__init__.py", ""),
        metadata,
        member(&format!("{directory}/WHEEL"), "Wheel-Version: 1.0\n"),
        member(&format!("{directory}/RECORD"), record),
    ]
}

fn zip(members: &[Member]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for member in members {
        let mut crc = flate2::Crc::new();
        crc.update(&member.data);
        let packed = if member.is_packed {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&member.data).unwrap();
            encoder.finish().unwrap()
        } else {
            member.data.clone()
        };
        let size = u32::try_from(member.data.len()).unwrap();
        let method = if member.is_packed { 8_u16 } else { 0 };
        let offset = u32::try_from(bytes.len()).unwrap();
        let common = |size: u32| {
            let mut fields = Vec::new();
            fields.extend(20_u16.to_le_bytes());
            fields.extend(member.flags.to_le_bytes());
            fields.extend(method.to_le_bytes());
            fields.extend([0; 4]);
            fields.extend(crc.sum().to_le_bytes());
            fields.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
            fields.extend(size.to_le_bytes());
            fields
        };
        let local = member.local_name.as_ref().unwrap_or(&member.name);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(common(size));
        bytes.extend(u16::try_from(local.len()).unwrap().to_le_bytes());
        bytes.extend([0; 2]);
        bytes.extend(local.as_bytes());
        bytes.extend(&packed);
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(common(member.stated_bytes.unwrap_or(size)));
        directory.extend(u16::try_from(member.name.len()).unwrap().to_le_bytes());
        directory.extend([0; 8]);
        directory.extend((member.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(member.name.as_bytes());
    }
    let count = u16::try_from(members.len()).unwrap();
    let offset = u32::try_from(bytes.len()).unwrap();
    let length = u32::try_from(directory.len()).unwrap();
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

/// A tar archive, packed. A name of more than 100 bytes gets an extended header.
fn tar_gz(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for (name, data) in members {
        if name.len() > 100 {
            let record = format!(" path={name}\n");
            let length = record.len() + 3;
            let record = format!("{length}{record}");
            encoder
                .write_all(&tar_header("pax", record.len() as u64, b'x'))
                .unwrap();
            encoder.write_all(record.as_bytes()).unwrap();
            encoder
                .write_all(&vec![0; 512 - record.len() % 512])
                .unwrap();
        }
        let short = &name[..name.len().min(100)];
        encoder
            .write_all(&tar_header(short, data.len() as u64, b'0'))
            .unwrap();
        encoder.write_all(data).unwrap();
        let padding = data.len().next_multiple_of(512) - data.len();
        encoder.write_all(&vec![0; padding]).unwrap();
    }
    encoder.write_all(&[0; 1024]).unwrap();
    encoder.finish().unwrap()
}

fn tar_header(name: &str, size: u64, kind: u8) -> [u8; 512] {
    let mut block = [0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[156] = kind;
    block[257..263].copy_from_slice(b"ustar\0");
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block
}

fn read(filename: &str, bytes: &[u8]) -> Result<Option<String>, String> {
    let file = Distribution::parse(filename, "acme-tool").unwrap();
    let found = archive::core_metadata(&mut Cursor::new(bytes), &file);
    match found {
        Ok(found) => Ok(found.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        Err(ArchiveError::Bad(what)) => Err(what),
        Err(ArchiveError::Unread(error)) => panic!("{error}"),
    }
}

fn check(filename: &str, bytes: &[u8]) -> Result<(), String> {
    let file = Distribution::parse(filename, "acme-tool").unwrap();
    archive::check(&mut Cursor::new(bytes), &file).map_err(|error| error.to_string())
}

#[test]
fn metadata_is_found_where_its_kind_of_file_has_it() {
    let sdist = tar_gz(&[
        ("acme_tool-1.0/src/PKG-INFO", b"not this"),
        ("acme_tool-1.0/PKG-INFO", METADATA.as_bytes()),
    ]);
    let long = format!("acme_tool-1.0/{}", "x".repeat(200));
    let with_long_name = tar_gz(&[
        (&long, b"x"),
        ("acme_tool-1.0/PKG-INFO", METADATA.as_bytes()),
    ]);
    let zipped = zip(&[member("acme-tool-1.0/PKG-INFO", METADATA)]);
    for (filename, bytes) in [
        (WHEEL, zip(&wheel(METADATA))),
        ("acme_tool-1.0.tar.gz", sdist.clone()),
        ("acme_tool-1.0.tgz", sdist),
        ("acme_tool-1.0.tar.gz", with_long_name),
        ("acme-tool-1.0.zip", zipped),
    ] {
        let found = read(filename, &bytes);
        assert_eq!(found, Ok(Some(METADATA.to_owned())), "{filename}");
        assert_eq!(check(filename, &bytes), Ok(()), "{filename}");
    }
    let bare = tar_gz(&[("acme-tool-1.0/setup.py", b"")]);
    assert_eq!(read("acme-tool-1.0.tar.gz", &bare), Ok(None));
    assert_eq!(read("acme-tool-1.0.tar.bz2", b"BZh"), Ok(None));
}

#[test]
fn wheels_that_are_not_what_their_name_says_are_refused() {
    let renamed = |from: &str, to: &str| {
        let mut members = wheel(METADATA);
        for member in &mut members {
            member.name = member.name.replace(from, to);
        }
        zip(&members)
    };
    let without = |name: &str| {
        let mut members = wheel(METADATA);
        members.retain(|member| !member.name.ends_with(name));
        zip(&members)
    };
    let with = |extra: Member| {
        let mut members = wheel(METADATA);
        members.push(extra);
        zip(&members)
    };
    for (bytes, what) in [
        (b"PK".to_vec(), "no zip archive"),
        (b"x".repeat(70_000), "no zip archive"),
        (without("METADATA"), "no METADATA"),
        (renamed(".dist-info", ".data"), "no .dist-info"),
        (
            renamed("acme_tool-1.0.dist-info", "acme_tool-2.0.dist-info"),
            "not named",
        ),
        (
            renamed("acme_tool-1.0.dist-info", "other-1.0.dist-info"),
            "not named",
        ),
        (
            with(member("other-1.0.dist-info/METADATA", METADATA)),
            "two .dist-info",
        ),
    ] {
        let error = read(WHEEL, &bytes).unwrap_err();
        assert!(error.contains(what), "{what}: {error}");
    }
    for (bytes, what) in [
        (without("WHEEL"), "no WHEEL"),
        (without("RECORD"), "no RECORD"),
        (
            with(member("acme/extra.py", "")),
            "does not list `acme/extra.py`",
        ),
    ] {
        assert!(read(WHEEL, &bytes).is_ok());
        let error = check(WHEEL, &bytes).unwrap_err();
        assert!(error.contains(what), "{what}: {error}");
    }
    let signed = with(member("acme_tool-1.0.dist-info/RECORD.jws", "{}"));
    assert_eq!(check(WHEEL, &signed), Ok(()));
}

#[test]
fn archives_that_programs_read_differently_are_refused() {
    let changed = |change: fn(&mut Vec<Member>)| {
        let mut members = wheel(METADATA);
        change(&mut members);
        zip(&members)
    };
    let good = zip(&wheel(METADATA));
    let prefixed = [b"#!/bin/sh\n".as_slice(), &good].concat();
    let commented = {
        let mut bytes = good.clone();
        let end = bytes.len();
        bytes[end - 2..].copy_from_slice(&4_u16.to_le_bytes());
        [bytes, b"text".to_vec()].concat()
    };
    let with_gap = {
        // Ten bytes between the last entry and the directory.
        let mut bytes = good.clone();
        let end = bytes.len();
        let offset = u32::from_le_bytes(bytes[end - 6..end - 2].try_into().unwrap());
        bytes[end - 6..end - 2].copy_from_slice(&(offset + 10).to_le_bytes());
        let at = usize::try_from(offset).unwrap();
        bytes.splice(at..at, *b"0123456789");
        bytes
    };
    let overlapping = {
        // The second entry of the directory is where the first is.
        let mut bytes = good.clone();
        let mut places = memchr::memmem::find_iter(&good, b"PK\x01\x02");
        let (_, second) = (places.next(), places.next().unwrap());
        bytes[second + 42..second + 46].fill(0);
        bytes
    };
    for (bytes, what) in [
        (
            changed(|members| members.push(members[0].clone())),
            "two entries",
        ),
        (
            changed(|members| members[0].name = "../evil.py".to_owned()),
            "forbidden name",
        ),
        (
            changed(|members| members[0].name = "/etc/passwd".to_owned()),
            "forbidden name",
        ),
        (
            changed(|members| members[0].name = "a\\b.py".to_owned()),
            "forbidden name",
        ),
        (
            changed(|members| members[0].name = "C:evil.py".to_owned()),
            "forbidden name",
        ),
        (
            changed(|members| members[0].name = "a//b.py".to_owned()),
            "forbidden name",
        ),
        (
            changed(|members| members[0].name = "a\0b.py".to_owned()),
            "forbidden name",
        ),
        (
            changed(|members| members[0].local_name = Some("acme/__other__.py".to_owned())),
            "contradicts",
        ),
        (
            changed(|members| members[0].stated_bytes = Some(5)),
            "contradicts",
        ),
        (changed(|members| members[0].flags = 1), "encrypted"),
        (
            changed(|members| members[0].mode = 0o120_777),
            "symbolic link",
        ),
        (prefixed, "not where it should be"),
        (commented, "after the archive"),
        ([good.clone(), b"more".to_vec()].concat(), "no zip archive"),
        (with_gap, "belong to no entry"),
        (overlapping, "belong to no entry"),
    ] {
        let error = check(WHEEL, &bytes).unwrap_err();
        assert!(error.contains(what), "{what}: {error}");
    }
    assert_eq!(check(WHEEL, &good), Ok(()));
}

#[test]
fn bombs_are_not_unpacked() {
    let mut large = wheel(&"x".repeat(17 << 20));
    let error = read(WHEEL, &zip(&large)).unwrap_err();
    assert!(error.contains("too large"), "{error}");
    // The same, and the directory lies about it.
    large[1].stated_bytes = Some(10);
    let error = read(WHEEL, &zip(&large)).unwrap_err();
    assert!(error.contains("too large"), "{error}");
    let tar = tar_gz(&[("acme-1.0/PKG-INFO", &vec![0; 17 << 20])]);
    let error = read("acme-tool-1.0.tar.gz", &tar).unwrap_err();
    assert!(error.contains("too large"), "{error}");
}

#[test]
fn damaged_archives_are_refused_and_nothing_panics() {
    let whole = zip(&wheel(METADATA));
    let sdist = tar_gz(&[
        ("acme_tool-1.0/setup.py", &[7; 2000]),
        ("acme_tool-1.0/PKG-INFO", METADATA.as_bytes()),
    ]);
    for (filename, bytes) in [(WHEEL, &whole), ("acme_tool-1.0.tar.gz", &sdist)] {
        for length in 0..bytes.len() {
            let result = read(filename, &bytes[..length]);
            assert!(result.is_err() || filename != WHEEL, "{filename} {length}");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0xff;
            let _ = read(filename, &bytes);
            let _ = check(filename, &bytes);
        }
    }
    let mut damaged = wheel(METADATA);
    damaged[1].is_packed = false;
    let mut bytes = zip(&damaged);
    let at = memchr::memmem::find(&bytes, b"Acme.Tool").unwrap();
    bytes[at] = b'B';
    assert!(read(WHEEL, &bytes).unwrap_err().contains("damaged"));
    for (bytes, what) in [
        (b"no gzip at all".to_vec(), "broken"),
        (sdist[..sdist.len() / 4].to_vec(), "broken"),
    ] {
        let error = read("acme_tool-1.0.tar.gz", &bytes).unwrap_err();
        assert!(error.contains(what), "{what}: {error}");
    }
}

fn page() -> Page<'static> {
    let file = File {
        filename: "acme_tool-1.0+local-py3-none-any.whl",
        version: "1.0+local",
        hashes: [("md5", "00"), ("sha256", "69bc")].into(),
        size_bytes: Some(1164),
        requires_python: Some(">=3.8,<\"4\""),
        uploaded: Some("2026-01-01T00:00:00.000000Z".to_owned()),
        yanked: None,
        core_metadata: CoreMetadata::Sha256("c1d2"),
        has_provenance: false,
    };
    let yanked = File {
        filename: "acme_tool-0.9.tar.gz",
        version: "0.9",
        requires_python: None,
        yanked: Some("broken & <bad>"),
        core_metadata: CoreMetadata::None,
        ..file.clone()
    };
    Page {
        name: "acme-tool",
        versions: vec!["0.9", "1.0+local"],
        files: vec![yanked, file],
        status: None,
    }
}

#[test]
fn a_page_reads_as_json() {
    let expected = r#"{"meta":{"api-version":"1.1"},"name":"acme-tool","versions":["0.9","1.0+local"],"files":[{"filename":"acme_tool-0.9.tar.gz","url":"0.9/acme_tool-0.9.tar.gz","hashes":{"md5":"00","sha256":"69bc"},"size":1164,"upload-time":"2026-01-01T00:00:00.000000Z","yanked":"broken & <bad>","core-metadata":false,"dist-info-metadata":false},{"filename":"acme_tool-1.0+local-py3-none-any.whl","url":"1.0%2Blocal/acme_tool-1.0%2Blocal-py3-none-any.whl","hashes":{"md5":"00","sha256":"69bc"},"requires-python":">=3.8,<\"4\"","size":1164,"upload-time":"2026-01-01T00:00:00.000000Z","yanked":false,"core-metadata":{"sha256":"c1d2"},"dist-info-metadata":{"sha256":"c1d2"}}]}"#;
    assert_eq!(page().render(Form::Json), expected);
}

#[test]
fn a_page_reads_as_html() {
    let expected = "<!DOCTYPE html>\n<html><head><meta name=\"pypi:repository-version\" content=\"1.1\">\
        <title>Links for acme-tool</title></head><body>\n<h1>Links for acme-tool</h1>\n\
        <a href=\"0.9/acme_tool-0.9.tar.gz#sha256=69bc\" data-yanked=\"broken &amp; &lt;bad&gt;\">acme_tool-0.9.tar.gz</a><br/>\n\
        <a href=\"1.0%2Blocal/acme_tool-1.0%2Blocal-py3-none-any.whl#sha256=69bc\" \
        data-requires-python=\"&gt;=3.8,&lt;&quot;4&quot;\" data-core-metadata=\"sha256=c1d2\" \
        data-dist-info-metadata=\"sha256=c1d2\">acme_tool-1.0+local-py3-none-any.whl</a><br/>\n</body></html>\n";
    for form in [Form::Html, Form::VersionedHtml] {
        assert_eq!(page().render(form), expected);
    }
}

#[test]
fn a_page_has_the_least_version_that_says_everything() {
    let status = ProjectStatus {
        status: "quarantined".to_owned(),
        reason: Some("a <reason>".to_owned()),
    };
    let with = |change: &dyn Fn(&mut Page<'static>)| {
        let mut page = page();
        change(&mut page);
        page.render(Form::Json)
    };
    for (json, version) in [
        (with(&|page| page.files[0].size_bytes = None), "1.0"),
        (with(&|_| {}), "1.1"),
        (with(&|page| page.files[0].has_provenance = true), "1.3"),
    ] {
        assert!(
            json.contains(&format!("\"api-version\":\"{version}\"")),
            "{json}"
        );
    }
    let provenance = with(&|page| page.files[0].has_provenance = true);
    assert!(provenance.contains(
        "\"provenance\":\"../../integrity/acme-tool/0.9/acme_tool-0.9.tar.gz/provenance\""
    ));
    let mut quarantined = page();
    quarantined.status = Some(&status);
    let json = quarantined.render(Form::Json);
    assert!(
        json.contains("\"project-status\":{\"status\":\"quarantined\",\"reason\":\"a <reason>\"}")
    );
    let html = quarantined.render(Form::Html);
    assert!(
        html.contains("<meta name=\"pypi:project-status-reason\" content=\"a &lt;reason&gt;\">")
    );
}

#[test]
fn what_is_served_can_be_read_back() {
    for form in [Form::Json, Form::Html] {
        let index = Index::parse(page().render(form).as_bytes(), "acme-tool", false).unwrap();
        assert_eq!(index.files.len(), 2);
        let yanked = index.file("acme_tool-0.9.tar.gz").unwrap();
        assert_eq!(yanked.yanked.as_deref(), Some("broken & <bad>"));
        let wheel = index.file("acme_tool-1.0+local-py3-none-any.whl").unwrap();
        assert_eq!(wheel.version, "1.0+local");
        assert_eq!(wheel.requires_python.as_deref(), Some(">=3.8,<\"4\""));
    }
    for form in [Form::Json, Form::Html] {
        let names = ["acme-tool".to_owned(), "other".to_owned()];
        let page = list(&names, form);
        assert!(
            page.contains("acme-tool") && page.contains("other"),
            "{page}"
        );
    }
}

#[test]
fn a_registrys_page_is_read_leniently_and_only_its_own_files() {
    let digest = "a".repeat(64);
    let json = format!(
        r#"{{"meta":{{"api-version":"1.9","x":1}},"name":"a-b","unknown":[],"alternate-locations":["https://evil.test/"],
        "project-status":{{"status":"archived"}},"files":[
        {{"filename":"a_b-1.0.0-py3-none-any.whl","url":"../f/a","hashes":{{"sha256":"{}","md5":"short"}},"requires-python":null,
          "yanked":true,"core-metadata":{{"sha256":"{digest}"}},"size":5,"upload-time":"2026-01-02T03:04:05.678901Z","provenance":"https://p.test/x"}},
        {{"filename":"a-b-1.0.tar.gz","url":"x","hashes":{{}},"yanked":"why","core-metadata":true}},
        {{"filename":"a-b-1.0.tar.gz","url":"twice","hashes":{{}}}},
        {{"filename":"other-1.0.tar.gz","url":"x","hashes":{{}}}},
        {{"filename":"../a_b-1.0.tar.gz","url":"x","hashes":{{}}}},
        {{"filename":"a_b-1.0-py2.7.egg","url":"x","hashes":{{}}}},
        {{"filename":"a_b-1.0.exe","url":"x","hashes":{{}}}},
        {{"filename":"a_b-2.0-py3-none-any.whl","url":"x","hashes":{{}},"dist-info-metadata":true}}]}}"#,
        digest.to_uppercase()
    );
    let index = Index::parse(json.as_bytes(), "a-b", false).unwrap();
    let names: Vec<_> = index
        .files
        .iter()
        .map(|file| (file.filename.as_str(), file.version.as_str()))
        .collect();
    // One spelling for both files of the version.
    assert_eq!(
        names,
        [
            ("a_b-1.0.0-py3-none-any.whl", "1.0.0"),
            ("a-b-1.0.tar.gz", "1.0.0"),
            ("a_b-2.0-py3-none-any.whl", "2.0"),
        ]
    );
    let wheel = &index.files[0];
    assert_eq!(wheel.hashes.get("sha256"), Some(&digest));
    assert_eq!(wheel.hashes.get("md5"), None);
    assert_eq!(wheel.yanked.as_deref(), Some(""));
    assert_eq!(wheel.core_metadata, Some(digest));
    assert_eq!(wheel.size_bytes, Some(5));
    assert!(wheel.uploaded.is_some());
    let sdist = &index.files[1];
    assert_eq!(sdist.yanked.as_deref(), Some("why"));
    assert_eq!(sdist.core_metadata, None);
    assert_eq!(index.files[2].core_metadata, None);
    assert_eq!(index.status.unwrap().status, "archived");
}

#[test]
fn what_is_no_page_is_not_taken_for_an_empty_one() {
    for (body, error) in [
        ("{\"files\": 1}", None),
        ("{", None),
        ("", Some(IndexError::NoPage)),
        (
            "<html>Please <a href=/login>log in</a></html>",
            Some(IndexError::NoPage),
        ),
        (
            "{\"meta\":{\"api-version\":\"2.0\"},\"files\":[]}",
            Some(IndexError::ApiVersion("2.0".to_owned())),
        ),
        (
            "<meta name=pypi:repository-version content=2.0>",
            Some(IndexError::ApiVersion("2.0".to_owned())),
        ),
    ] {
        let found = Index::parse(body.as_bytes(), "a", false).unwrap_err();
        assert!(error.is_none_or(|error| error == found), "{body} {found}");
    }
    let empty = "<!DOCTYPE html><meta name=\"pypi:repository-version\" content=\"1.0\">";
    assert_eq!(
        Index::parse(empty.as_bytes(), "a", false).unwrap().files,
        []
    );
    // A page of the first standard, without any mark of its version.
    let plain = "<a href=\"../../packages/a-1.0.tar.gz#sha256=00\">a-1.0.tar.gz</a>";
    assert_eq!(
        Index::parse(plain.as_bytes(), "a", false)
            .unwrap()
            .files
            .len(),
        1
    );
}

#[test]
fn facts_are_written_and_read_back() {
    let facts = Facts {
        requires_python: Some(">=3".to_owned()),
        yanked: Some(String::new()),
        ..Facts::default()
    };
    assert_eq!(facts.to_text(), r#"{"requires-python":">=3","yanked":""}"#);
    assert_eq!(Facts::parse(&facts.to_text()), facts);
    assert_eq!(Facts::parse("nonsense"), Facts::default());
}
