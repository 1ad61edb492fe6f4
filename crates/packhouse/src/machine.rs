//! `packhouse machine`: asks the running server, in the name of the account's `admin`.

use std::io::Write as _;

use anyhow::bail;
use aws::percent;
use bytes::Bytes;
use http::Method;
use iam::api::{CreateMachine, MachineWithCode, Machines, ShownMachine};
use serde::de::DeserializeOwned;

use crate::cli::{Admin, Machine};
use crate::client::call_as;
use crate::doors::own::MACHINES;
use crate::files::Files;

pub(crate) fn run(command: &Machine) -> anyhow::Result<()> {
    match command {
        Machine::Create(arguments) => {
            let asked = CreateMachine {
                name: arguments.name.clone(),
                instance_profile: arguments.instance_profile.clone(),
            };
            let body = serde_json::to_vec(&asked)?;
            let made = ask(&arguments.admin, Method::POST, MACHINES, body)?;
            with_code(&arguments.admin, &made)
        }
        Machine::Code(arguments) => {
            let path = format!("{MACHINES}/{}/code", arguments.id);
            let made = ask(&arguments.admin, Method::POST, &path, Vec::new())?;
            with_code(&arguments.admin, &made)
        }
        Machine::Disable(arguments) => {
            let path = format!("{MACHINES}/{}/disable", arguments.id);
            let told = ask(&arguments.admin, Method::POST, &path, Vec::new())?;
            if arguments.admin.json {
                return print(&told);
            }
            let machine: ShownMachine = read(&told)?;
            say(&format!(
                "{} is disabled; its sessions have ended\n",
                machine.machine_id
            ))
        }
        Machine::Delete(arguments) => {
            let path = format!("{MACHINES}/{}", arguments.id);
            let told = ask(&arguments.admin, Method::DELETE, &path, Vec::new())?;
            if arguments.admin.json {
                return print(&told);
            }
            let machine: ShownMachine = read(&told)?;
            let ShownMachine {
                machine_id, name, ..
            } = machine;
            say(&format!(
                "{machine_id} `{name}` is removed; its sessions have ended\n"
            ))
        }
        Machine::List(arguments) => list(&arguments.admin),
    }
}

fn list(admin: &Admin) -> anyhow::Result<()> {
    let mut machines = Vec::new();
    let mut path = MACHINES.to_owned();
    loop {
        let page: Machines = read(&ask(admin, Method::GET, &path, Vec::new())?)?;
        machines.extend(page.machines);
        match page.next_token {
            Some(token) => path = format!("{MACHINES}?nextToken={}", percent::encode(&token)),
            None => break,
        }
    }
    if admin.json {
        return say(&format!("{}\n", serde_json::to_string_pretty(&machines)?));
    }
    say(&table(&machines))
}

/// One line a machine, the columns as wide as their widest text.
fn table(machines: &[ShownMachine]) -> String {
    let head = ["MACHINE", "NAME", "STATE", "PROFILE", "HOST", "SEEN"].map(str::to_owned);
    let mut rows = vec![head];
    rows.extend(machines.iter().map(|machine| {
        let profile = machine.instance_profile_arn.as_deref();
        let profile = profile.and_then(|arn| arn.rsplit('/').next());
        let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
        [
            machine.machine_id.clone(),
            machine.name.clone(),
            machine.state.clone(),
            or_dash(profile),
            or_dash(machine.host_name.as_deref()),
            or_dash(machine.seen_at.as_deref()),
        ]
    }));
    let widths: [usize; 6] = std::array::from_fn(|column| {
        let lengths = rows.iter().map(|row| row[column].chars().count());
        lengths.max().unwrap_or(0)
    });
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn with_code(admin: &Admin, made: &Bytes) -> anyhow::Result<()> {
    if admin.json {
        return print(made);
    }
    let MachineWithCode {
        machine,
        enrollment_code,
        enrollment_code_expires_at,
    } = read(made)?;
    let server = Files::new(&admin.server.data).endpoint()?.url;
    say(&format!(
        "{} `{}`; its code is good once, until {enrollment_code_expires_at}\n\
         hint: on that machine: packhouse agent enroll --server {server} --code {enrollment_code}\n",
        machine.machine_id, machine.name
    ))
}

fn ask(admin: &Admin, method: Method, uri: &str, body: Vec<u8>) -> anyhow::Result<Bytes> {
    call_as(admin, (method, uri), body)
}

fn read<T: DeserializeOwned>(answer: &Bytes) -> anyhow::Result<T> {
    // Not shown, should it fail: there may be a code in it.
    let Ok(read) = serde_json::from_slice(answer) else {
        bail!("the answer of the server does not read");
    };
    Ok(read)
}

fn print(answer: &Bytes) -> anyhow::Result<()> {
    let value: serde_json::Value = read(answer)?;
    say(&format!("{}\n", serde_json::to_string_pretty(&value)?))
}

fn say(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_listed_in_columns() {
        let machine = |name: &str, profile: Option<&str>| ShownMachine {
            machine_id: "i-0123456789abcdef0".to_owned(),
            name: name.to_owned(),
            arn: String::new(),
            state: "enrolled".to_owned(),
            instance_profile_arn: profile.map(str::to_owned),
            association_id: None,
            host_name: None,
            host_id: None,
            enrolled_at: None,
            enrolled_from: None,
            seen_at: Some("2026-03-14T15:09:26Z".to_owned()),
            seen_from: None,
            created_at: String::new(),
        };
        let profile = "arn:aws:iam::111122223333:instance-profile/team/ec2-ca";
        assert_eq!(
            table(&[machine("build-01", Some(profile)), machine("b", None)]),
            "MACHINE              NAME      STATE     PROFILE  HOST  SEEN\n\
             i-0123456789abcdef0  build-01  enrolled  ec2-ca   -     2026-03-14T15:09:26Z\n\
             i-0123456789abcdef0  b         enrolled  -        -     2026-03-14T15:09:26Z\n"
        );
    }
}
