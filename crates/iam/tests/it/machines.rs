//! Machines: enrolled once with a code, given sessions of the role that they carry, and what takes those back.

use std::time::Duration;

use aws::machine::{Purpose, Statement};
use aws::sigv4::Credentials;
use aws::{SecretString, Timestamp};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use iam::api::CreateMachine;
use iam::{
    Enrollment, MachineAnswer, NotAuthenticated, NotMachine, NotSignedBy, Source, Temporary,
};

use crate::calls::{allow, trust};
use crate::house::{House, sign_in};

on_each_database! {
    a_code_enrols_one_machine_once_and_for_an_hour,
    a_machine_gets_sessions_named_after_it,
    only_the_holder_of_the_key_is_told_anything,
    a_statement_is_good_once_for_a_minute_and_at_its_server,
    a_machine_without_a_role_has_none,
    a_role_must_trust_machines,
    unbinding_ends_the_sessions_and_what_came_of_them,
    disabling_ends_key_and_sessions_until_a_new_code,
    deleting_leaves_nothing_of_a_machine,
    a_new_enrolment_replaces_the_key,
    what_is_taken_away_meanwhile_leaves_no_session,
    a_token_that_came_of_a_machine_ends_with_it_however_late,
}

const SERVER: &str = "https://packages.example";
pub(crate) const MACHINES: &str = r#"{"Service":"ec2.amazonaws.com"}"#;

/// An agent: its key, and what it was told that it is.
pub(crate) struct Agent {
    key: Ed25519KeyPair,
    pub(crate) id: String,
}

impl Agent {
    pub(crate) async fn enroll(house: &House, code: &str) -> Option<Self> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let enrolled = house
            .iam
            .enroll_machine(Enrollment {
                code: SecretString::from(code),
                public_key: key.public_key().as_ref().try_into().unwrap(),
                server: SERVER.to_owned(),
                host_name: Some("build-01.example".to_owned()),
                host_id: None,
                from: Some("10.0.0.1".parse().unwrap()),
            })
            .await
            .unwrap()?;
        let id = enrolled.machine.to_string();
        Some(Self { key, id })
    }

    /// One that is enrolled; carries a role that trusts machines and may do this.
    pub(crate) async fn with_role(house: &House, policy: &str) -> Self {
        let code = house.machine("build-01").await.1;
        let agent = Self::enroll(house, &code).await.unwrap();
        house.role_for("ec2-ca", MACHINES, "").await;
        let put = [
            ("RoleName", "ec2-ca"),
            ("PolicyName", "own"),
            ("PolicyDocument", policy),
        ];
        house.admin("PutRolePolicy", &put).await;
        house.profile("ec2-ca", "ec2-ca").await;
        house.bind(&agent.id, "ec2-ca").await;
        agent
    }

    fn statement(&self, at: Timestamp, purpose: Purpose) -> Statement {
        let mut nonce = [0; 16];
        aws_lc_rs::rand::fill(&mut nonce).unwrap();
        Statement {
            purpose,
            server: SERVER.to_owned(),
            machine: self.id.parse().unwrap(),
            at,
            nonce: hex::encode(nonce),
        }
    }

    async fn say(&self, house: &House, statement: &str) -> Result<MachineAnswer, NotMachine> {
        let signature = self.key.sign(statement.as_bytes());
        let source = Source::default();
        house
            .iam
            .answer_machine(statement, signature.as_ref(), &source)
            .await
    }

    pub(crate) async fn ask(&self, house: &House) -> Result<MachineAnswer, NotMachine> {
        let purpose = Purpose::Credentials { seconds: 3600 };
        let statement = self.statement(house.clock.now(), purpose);
        self.say(house, &statement.to_string()).await
    }

    pub(crate) async fn session(&self, house: &House) -> Temporary {
        match self.ask(house).await.unwrap() {
            MachineAnswer::Session(_, temporary) => temporary,
            other => panic!("{other:?}"),
        }
    }
}

impl House {
    /// Id and code of a new machine that carries nothing.
    pub(crate) async fn machine(&self, name: &str) -> (String, String) {
        let admin = self.signed_in(&self.keys.admin).await;
        let asked = CreateMachine {
            name: name.to_owned(),
            instance_profile: None,
        };
        let made = self.iam.create_machine_for(&admin, &asked).await.unwrap();
        (made.machine.machine_id, made.enrollment_code)
    }

    pub(crate) async fn profile(&self, name: &str, role: &str) {
        let profile = ("InstanceProfileName", name);
        self.admin("CreateInstanceProfile", &[profile]).await;
        let role = ("RoleName", role);
        self.admin("AddRoleToInstanceProfile", &[profile, role])
            .await;
    }

    /// The id of the association.
    pub(crate) async fn bind(&self, machine: &str, profile: &str) -> String {
        let parameters = [
            ("InstanceId", machine),
            ("IamInstanceProfile.Name", profile),
        ];
        let answer = self
            .ec2_admin("AssociateIamInstanceProfile", &parameters)
            .await
            .unwrap();
        answer
            .text("iamInstanceProfileAssociation/associationId")
            .to_owned()
    }
}

fn reads() -> String {
    allow("\"codeartifact:ReadFromRepository\"", "\"*\"")
}

async fn a_code_enrols_one_machine_once_and_for_an_hour(house: House) {
    let (id, code) = house.machine("build-01").await;
    // The code does not lie in the database.
    let rows = house
        .database
        .rows("SELECT code_hash FROM machines", Vec::new())
        .await
        .unwrap();
    let hash = rows[0].text("code_hash").unwrap();
    assert!(hash.len() == 64 && !hash.contains(&code[5..]));
    for wrong in [
        "",
        "phe1_",
        "phe1_00000000000000000000000000000000",
        &code[..36],
        &hash,
    ] {
        assert!(Agent::enroll(&house, wrong).await.is_none(), "{wrong}");
    }
    let agent = Agent::enroll(&house, &code).await.unwrap();
    assert_eq!(agent.id, id);
    assert!(Agent::enroll(&house, &code).await.is_none());
    let (_, late) = house.machine("build-02").await;
    house.turn(Duration::from_hours(1));
    assert!(Agent::enroll(&house, &late).await.is_none());
    // What the agent said of its host is for the operator.
    let admin = house.signed_in(&house.keys.admin).await;
    let listed = house.iam.list_machines_for(&admin, None).await.unwrap();
    let machine = listed.machines.iter().find(|it| it.machine_id == id);
    let machine = machine.unwrap();
    assert_eq!(machine.state, "enrolled");
    assert_eq!(machine.host_name.as_deref(), Some("build-01.example"));
    assert_eq!(machine.enrolled_from.as_deref(), Some("10.0.0.1"));
}

async fn a_machine_gets_sessions_named_after_it(house: House) {
    let agent = Agent::with_role(&house, &reads()).await;
    let arn = format!("arn:aws:ec2:us-east-1:111122223333:instance/{}", agent.id);
    let temporary = agent.session(&house).await;
    assert_eq!(
        temporary.expires.since(house.clock.now()),
        Duration::from_hours(1)
    );
    let caller = house.signed_in(&temporary.credentials).await;
    assert_eq!(
        caller.arn(),
        format!("arn:aws:sts::111122223333:assumed-role/ec2-ca/{}", agent.id)
    );
    assert_eq!(caller.source_instance(), Some(arn.as_str()));
    assert!(house.may_read(&caller).await);
    // Policies may look at the machine.
    for (machine, may) in [
        (arn.as_str(), true),
        ("arn:aws:ec2:*:*:instance/i-0", false),
    ] {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"*","Resource":"*",
            "Condition":{{"ArnEquals":{{"ec2:SourceInstanceARN":"{machine}"}}}}}}]}}"#
        );
        let put = [
            ("RoleName", "ec2-ca"),
            ("PolicyName", "own"),
            ("PolicyDocument", &policy),
        ];
        house.admin("PutRolePolicy", &put).await;
        assert_eq!(house.may_read(&caller).await, may, "{machine}");
    }
    // The role's own limit is for people; machines have the hour that they ask for.
    let update = [("RoleName", "ec2-ca"), ("MaxSessionDuration", "3600")];
    house.admin("UpdateRole", &update).await;
    let purpose = Purpose::Credentials { seconds: 21_600 };
    let statement = agent.statement(house.clock.now(), purpose).to_string();
    let told = agent.say(&house, &statement).await.unwrap();
    let MachineAnswer::Session(role, long) = told else {
        panic!("{told:?}");
    };
    assert_eq!(
        long.expires.since(house.clock.now()),
        Duration::from_hours(6)
    );
    assert_eq!(role.role_name, "ec2-ca");
    assert_eq!(
        role.profile_arn,
        "arn:aws:iam::111122223333:instance-profile/ec2-ca"
    );
    let told = agent.statement(house.clock.now(), Purpose::Binding);
    let told = agent.say(&house, &told.to_string()).await.unwrap();
    let MachineAnswer::Bound(bound) = told else {
        panic!("{told:?}");
    };
    assert_eq!(bound, role);
}

async fn only_the_holder_of_the_key_is_told_anything(house: House) {
    let agent = Agent::with_role(&house, &reads()).await;
    let statement = |seconds| {
        let purpose = Purpose::Credentials { seconds };
        agent.statement(house.clock.now(), purpose).to_string()
    };
    let source = Source::default();
    let good = statement(3600);
    let signature = agent.key.sign(good.as_bytes()).as_ref().to_vec();
    // Every byte counts.
    for place in 0..good.len() {
        let mut changed = good.clone().into_bytes();
        changed[place] ^= 1;
        let Ok(changed) = String::from_utf8(changed) else {
            continue;
        };
        let told = house
            .iam
            .answer_machine(&changed, &signature, &source)
            .await;
        assert!(told.is_err(), "{changed}");
    }
    for place in 0..signature.len() {
        let mut changed = signature.clone();
        changed[place] ^= 1;
        let told = house.iam.answer_machine(&good, &changed, &source).await;
        assert!(matches!(told, Err(NotMachine::Refused)), "{place}");
    }
    for short in [&[][..], &signature[..63]] {
        let told = house.iam.answer_machine(&good, short, &source).await;
        assert!(matches!(told, Err(NotMachine::Refused)));
    }
    // A machine that is not there, one that waits, and another one's key are one answer.
    let (waiting, _) = house.machine("waiting").await;
    for id in ["i-00000000000000000", waiting.as_str()] {
        let other = Agent {
            key: Ed25519KeyPair::generate().unwrap(),
            id: id.to_owned(),
        };
        let told = other.ask(&house).await;
        assert!(matches!(told, Err(NotMachine::Refused)), "{id}");
    }
    for seconds in [0, 899, 21_601] {
        let told = agent.say(&house, &statement(seconds)).await;
        assert!(matches!(told, Err(NotMachine::Malformed)), "{seconds}");
    }
    // Nothing of all this has made a session, and the good one still does.
    let count = "SELECT COUNT(*) AS n FROM sessions WHERE source_instance IS NOT NULL";
    let rows = house.database.rows(count, Vec::new()).await.unwrap();
    assert_eq!(rows[0].int("n").unwrap(), 0);
    let told = house.iam.answer_machine(&good, &signature, &source).await;
    assert!(matches!(told, Ok(MachineAnswer::Session(..))));
}

async fn a_statement_is_good_once_for_a_minute_and_at_its_server(house: House) {
    let agent = Agent::with_role(&house, &reads()).await;
    let purpose = Purpose::Credentials { seconds: 3600 };
    let now = house.clock.now();
    let statement = agent.statement(now, purpose).to_string();
    assert!(agent.say(&house, &statement).await.is_ok());
    let again = agent.say(&house, &statement).await;
    assert!(matches!(again, Err(NotMachine::Refused)));
    // Also on another node.
    let other = house.another_node().await;
    let signature = agent.key.sign(statement.as_bytes());
    let again = other
        .answer_machine(&statement, signature.as_ref(), &Source::default())
        .await;
    assert!(matches!(again, Err(NotMachine::Refused)));
    let minute = Duration::from_mins(1);
    let more = minute + Duration::from_secs(1);
    for (at, is_good) in [
        (now.minus(minute), true),
        (now.plus(minute), true),
        (now.minus(more), false),
        (now.plus(more), false),
    ] {
        let statement = agent.statement(at, purpose).to_string();
        let told = agent.say(&house, &statement).await;
        assert_eq!(told.is_ok(), is_good, "{at}");
        assert!(is_good || matches!(told, Err(NotMachine::Clock)));
    }
    // A minute early is still remembered when its time is over.
    let early = agent.statement(house.clock.now().plus(minute), purpose);
    assert!(agent.say(&house, &early.to_string()).await.is_ok());
    house.turn(2 * minute);
    let again = agent.say(&house, &early.to_string()).await;
    assert!(matches!(again, Err(NotMachine::Refused)));
    let elsewhere = Statement {
        server: "https://packages.example.evil".to_owned(),
        ..agent.statement(house.clock.now(), purpose)
    };
    let told = agent.say(&house, &elsewhere.to_string()).await;
    assert!(matches!(told, Err(NotMachine::Refused)));
}

async fn a_machine_without_a_role_has_none(house: House) {
    let (id, code) = house.machine("build-01").await;
    let agent = Agent::enroll(&house, &code).await.unwrap();
    assert!(matches!(agent.ask(&house).await, Ok(MachineAnswer::NoRole)));
    house.role_for("ec2-ca", MACHINES, "").await;
    house.profile("ec2-ca", "ec2-ca").await;
    house.bind(&id, "ec2-ca").await;
    assert!(matches!(
        agent.ask(&house).await,
        Ok(MachineAnswer::Session(..))
    ));
    // The profile loses its role; then it is deleted under the machine, as on AWS.
    let profile = ("InstanceProfileName", "ec2-ca");
    let remove = [profile, ("RoleName", "ec2-ca")];
    house.admin("RemoveRoleFromInstanceProfile", &remove).await;
    assert!(matches!(agent.ask(&house).await, Ok(MachineAnswer::NoRole)));
    house.admin("DeleteInstanceProfile", &[profile]).await;
    assert!(matches!(agent.ask(&house).await, Ok(MachineAnswer::NoRole)));
    // A namesake is another profile.
    house.profile("ec2-ca", "ec2-ca").await;
    assert!(matches!(agent.ask(&house).await, Ok(MachineAnswer::NoRole)));
}

async fn a_role_must_trust_machines(house: House) {
    let (id, code) = house.machine("build-01").await;
    let agent = Agent::enroll(&house, &code).await.unwrap();
    house
        .role_for("ec2-ca", r#"{"AWS":"111122223333"}"#, "")
        .await;
    house.profile("ec2-ca", "ec2-ca").await;
    house.bind(&id, "ec2-ca").await;
    let arn = format!("arn:aws:ec2:us-east-1:111122223333:instance/{id}");
    let this = format!(r#""ArnEquals":{{"aws:SourceArn":"{arn}"}}"#);
    let another =
        r#""ArnEquals":{"aws:SourceArn":"arn:aws:ec2:us-east-1:111122223333:instance/i-0"}"#;
    let other_account = r#""StringEquals":{"aws:SourceAccount":"444455556666"}"#;
    for (principal, condition, trusts) in [
        (r#"{"AWS":"111122223333"}"#, "", false),
        (r#"{"Service":"lambda.amazonaws.com"}"#, "", false),
        (MACHINES, "", true),
        (MACHINES, this.as_str(), true),
        (MACHINES, another, false),
        (MACHINES, other_account, false),
    ] {
        let update = [
            ("RoleName", "ec2-ca"),
            ("PolicyDocument", &trust(principal, condition)),
        ];
        house.admin("UpdateAssumeRolePolicy", &update).await;
        let told = agent.ask(&house).await.unwrap();
        let has_session = matches!(told, MachineAnswer::Session(..));
        assert_eq!(has_session, trusts, "{principal} {condition}");
        assert!(
            has_session
                || matches!(told, MachineAnswer::Untrusted(role) if role.role_name == "ec2-ca")
        );
    }
}

/// Whether the session's key, a token made from it, and a session chained from it are dead.
struct Given {
    session: Credentials,
    token: String,
    chained: Credentials,
}

impl Given {
    async fn by(house: &House, agent: &Agent) -> Self {
        let session = agent.session(house).await.credentials;
        let caller = house.signed_in(&session).await;
        let token = house.token(&caller).await;
        let parameters = [
            ("RoleArn", "arn:aws:iam::111122223333:role/next"),
            ("RoleSessionName", "next"),
        ];
        let chained = house.call(&caller, "AssumeRole", &parameters).await;
        let chained = crate::calls::credentials(&chained.unwrap());
        Self {
            session,
            token,
            chained,
        }
    }

    /// On this node, and on another one that was there before.
    async fn are_good(&self, house: &House, other: &iam::Iam) -> [bool; 4] {
        let now = house.clock.now();
        let is_good = |signed: Result<iam::Caller, NotSignedBy>| match signed {
            Ok(_) => true,
            Err(NotSignedBy::Refused(_)) => false,
            Err(error) => panic!("{error}"),
        };
        let by_token = house.iam.by_token(&self.token, Source::default()).await;
        let by_token = match by_token {
            Ok(_) => true,
            Err(NotAuthenticated::Revoked) => false,
            Err(error) => panic!("{error}"),
        };
        [
            is_good(house.sign_in(&self.session).await),
            by_token,
            is_good(house.sign_in(&self.chained).await),
            is_good(sign_in(other, &self.session, now).await),
        ]
    }
}

/// An agent whose role may take another, `next`.
async fn that_takes_next(house: &House) -> Agent {
    let policy = allow(r#"["sts:AssumeRole","codeartifact:*"]"#, "\"*\"");
    let agent = Agent::with_role(house, &policy).await;
    house
        .role_for("next", r#"{"AWS":"111122223333"}"#, "")
        .await;
    agent
}

async fn unbinding_ends_the_sessions_and_what_came_of_them(house: House) {
    let agent = that_takes_next(&house).await;
    let other = house.another_node().await;
    let given = Given::by(&house, &agent).await;
    assert_eq!(given.are_good(&house, &other).await, [true; 4]);
    let of_machine = [
        ("Filter.1.Name", "instance-id"),
        ("Filter.1.Value.1", agent.id.as_str()),
    ];
    let listed = house
        .ec2_admin("DescribeIamInstanceProfileAssociations", &of_machine)
        .await
        .unwrap();
    let ids = listed.texts("iamInstanceProfileAssociationSet", "associationId");
    let unbind = [("AssociationId", ids[0])];
    house
        .ec2_admin("DisassociateIamInstanceProfile", &unbind)
        .await
        .unwrap();
    assert_eq!(given.are_good(&house, &other).await, [false; 4]);
    assert!(matches!(agent.ask(&house).await, Ok(MachineAnswer::NoRole)));
    // Bound again it gets new ones; the old stay dead.
    house.turn(Duration::from_secs(1));
    let association = house.bind(&agent.id, "ec2-ca").await;
    let new = Given::by(&house, &agent).await;
    assert_eq!(new.are_good(&house, &other).await, [true; 4]);
    assert_eq!(given.are_good(&house, &other).await, [false; 4]);
    // Another profile in its place is the end of the former's sessions as well.
    house.role_for("other", MACHINES, "").await;
    house.profile("other", "other").await;
    let replace = [
        ("AssociationId", association.as_str()),
        ("IamInstanceProfile.Name", "other"),
    ];
    house
        .ec2_admin("ReplaceIamInstanceProfileAssociation", &replace)
        .await
        .unwrap();
    assert_eq!(new.are_good(&house, &other).await, [false; 4]);
    let told = agent.ask(&house).await.unwrap();
    assert!(matches!(told, MachineAnswer::Session(role, _) if role.role_name == "other"));
}

async fn disabling_ends_key_and_sessions_until_a_new_code(house: House) {
    let agent = that_takes_next(&house).await;
    let other = house.another_node().await;
    let given = Given::by(&house, &agent).await;
    let admin = house.signed_in(&house.keys.admin).await;
    let shown = house.iam.disable_machine_for(&admin, &agent.id).await;
    assert_eq!(shown.unwrap().state, "disabled");
    assert_eq!(given.are_good(&house, &other).await, [false; 4]);
    // The machine has proven itself, so it is told.
    assert!(matches!(agent.ask(&house).await, Err(NotMachine::Disabled)));
    let code = house
        .iam
        .create_enrollment_code_for(&admin, &agent.id)
        .await
        .unwrap();
    assert!(matches!(agent.ask(&house).await, Err(NotMachine::Disabled)));
    house.turn(Duration::from_secs(1));
    let new = Agent::enroll(&house, &code.enrollment_code).await.unwrap();
    assert_eq!(new.id, agent.id);
    assert!(matches!(
        new.ask(&house).await,
        Ok(MachineAnswer::Session(..))
    ));
    assert!(matches!(agent.ask(&house).await, Err(NotMachine::Refused)));
}

async fn deleting_leaves_nothing_of_a_machine(house: House) {
    let agent = that_takes_next(&house).await;
    let other = house.another_node().await;
    let given = Given::by(&house, &agent).await;
    let admin = house.signed_in(&house.keys.admin).await;
    house
        .iam
        .delete_machine_for(&admin, &agent.id)
        .await
        .unwrap();
    assert_eq!(given.are_good(&house, &other).await, [false; 4]);
    assert!(matches!(agent.ask(&house).await, Err(NotMachine::Refused)));
    let listed = house.iam.list_machines_for(&admin, None).await.unwrap();
    assert!(listed.machines.is_empty());
    let bound = house
        .ec2_admin("DescribeIamInstanceProfileAssociations", &[])
        .await
        .unwrap();
    let bound = bound.texts("iamInstanceProfileAssociationSet", "associationId");
    assert!(bound.is_empty(), "{bound:?}");
    let again = house.iam.delete_machine_for(&admin, &agent.id).await;
    assert_eq!(again.unwrap_err().code, "ResourceNotFoundException");
}

async fn a_new_enrolment_replaces_the_key(house: House) {
    let agent = that_takes_next(&house).await;
    let other = house.another_node().await;
    let given = Given::by(&house, &agent).await;
    let admin = house.signed_in(&house.keys.admin).await;
    let code = |machine: &str| {
        let (admin, machine) = (admin.clone(), machine.to_owned());
        let iam = house.iam.clone();
        async move { iam.create_enrollment_code_for(&admin, &machine).await }
    };
    let first = code(&agent.id).await.unwrap();
    // The old key works on until the code is spent.
    assert!(agent.ask(&house).await.is_ok());
    let second = code(&agent.id).await.unwrap();
    assert!(
        Agent::enroll(&house, &first.enrollment_code)
            .await
            .is_none()
    );
    let new = Agent::enroll(&house, &second.enrollment_code).await;
    assert!(new.is_some());
    assert!(matches!(agent.ask(&house).await, Err(NotMachine::Refused)));
    assert_eq!(given.are_good(&house, &other).await, [false; 4]);
}

/// The machine's own session, and the one that was taken with it, are long over by then.
async fn a_token_that_came_of_a_machine_ends_with_it_however_late(house: House) {
    let agent = that_takes_next(&house).await;
    let given = Given::by(&house, &agent).await;
    let chained = house.signed_in(&given.chained).await;
    let token = house.token(&chained).await;
    house.turn(Duration::from_hours(3));
    house.iam.forget(house.clock.now()).await.unwrap();
    house.iam.by_token(&token, Source::default()).await.unwrap();
    let admin = house.signed_in(&house.keys.admin).await;
    house
        .iam
        .disable_machine_for(&admin, &agent.id)
        .await
        .unwrap();
    let refused = house.iam.by_token(&token, Source::default()).await;
    assert!(matches!(refused, Err(NotAuthenticated::Revoked)));
}

/// Sessions are asked for while the profile is unbound and bound, again and again: those of a former binding are dead, each
/// of them.
async fn what_is_taken_away_meanwhile_leaves_no_session(house: House) {
    let agent = Agent::with_role(&house, &reads()).await;
    let mut association = {
        let listed = house
            .ec2_admin("DescribeIamInstanceProfileAssociations", &[])
            .await
            .unwrap();
        let ids = listed.texts("iamInstanceProfileAssociationSet", "associationId");
        ids[0].to_owned()
    };
    for _ in 0..10 {
        let asking = async {
            let mut given = Vec::new();
            for _ in 0..4 {
                // Others are in the way now and then; that is no session either.
                if let Ok(MachineAnswer::Session(_, temporary)) = agent.ask(&house).await {
                    given.push(temporary.credentials);
                }
            }
            given
        };
        let unbind = [("AssociationId", association.as_str())];
        let unbinding = house.ec2_admin("DisassociateIamInstanceProfile", &unbind);
        let (given, unbound) = tokio::join!(asking, unbinding);
        unbound.unwrap();
        for credentials in given {
            assert!(house.sign_in(&credentials).await.is_err());
        }
        house.turn(Duration::from_secs(1));
        association = house.bind(&agent.id, "ec2-ca").await;
    }
}
