//! The rotation by the labels of this tool: a proxy that shows its state, a network, and a hold file.

use std::time::{Duration, Instant};

use docker::Container;

use super::client::{Client, QUICK};
use super::rotation::Front;
use crate::failure::{Exit, Failure, Problem};
use crate::interrupt::Interrupt;

/// The time that the proxy has to notice a change: longer than three checks of a busy container, of 5 s each.
const NOTICE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(200);
/// Asks the URL that it is given, from within a container: the engine may be on another machine.
const SCRIPT: &str = include_str!("state.py");

/// A line of the proxy's state: a container in its eyes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Server {
    address: String,
    status: String,
    /// The result of the last check: `L7OK`, with `* ` before it while another check is running.
    check: String,
    /// Requests that are being answered.
    sessions: u64,
}

/// The proxy, asked from within a container.
pub(super) struct Labels<'a> {
    pub(super) client: &'a Client<'a>,
    pub(super) front: &'a Front,
    /// The service of the proxy.
    pub(super) name: String,
    /// The URL of the rotation state of the running proxy; none if it has no such URL.
    pub(super) state: Option<String>,
    pub(super) interrupt: &'a Interrupt,
}

impl Labels<'_> {
    /// Keeps a container that was never started away from the proxy's network.
    pub(super) fn detach(&self, container: &Container) -> anyhow::Result<()> {
        self.client.docker(["network", "disconnect", &self.front.network, &container.id], QUICK)?;
        Ok(())
    }

    /// Puts a container on the proxy's network, if it is not there.
    pub(super) fn connect(&self, container: &Container) -> anyhow::Result<()> {
        if container.addresses.contains_key(&self.front.network) {
            return Ok(());
        }
        let aliases = self.front.aliases.iter().flat_map(|alias| ["--alias", alias]);
        let to = [self.front.network.as_str(), &container.id];
        self.client.docker(["network", "connect"].into_iter().chain(aliases).chain(to), QUICK)?;
        Ok(())
    }

    /// Waits until the proxy hands requests to a container.
    pub(super) fn wait_until_in_rotation(&self, container: &Container) -> anyhow::Result<()> {
        if self.state.is_none() {
            return Ok(());
        }
        let address = self.address(container)?;
        self.wait(container, &format!("does not hand requests to {container}"), |server| {
            server.is_some_and(|server| server.is_in(&address))
        })
    }

    /// Drains a container: removes it from the rotation, and polls until its requests are finished, with this timeout.
    /// Returns the number of requests that are still open.
    pub(super) fn drain(&self, container: &Container, patience: Duration) -> anyhow::Result<u64> {
        if self.state.is_none() {
            return Ok(0);
        }
        self.client.docker(["exec", "--user", "0", &container.id, "touch", &self.front.hold_file], QUICK)?;
        let address = self.address(container)?;
        self.wait(container, &format!("goes on handing requests to {container}"), |server| {
            server.is_none_or(Server::is_out)
        })?;
        let end = Instant::now() + patience;
        loop {
            let servers = self.servers(container)?;
            let sessions = servers.iter().find(|it| it.is_at(&address)).map_or(0, |it| it.sessions);
            if sessions == 0 || Instant::now() >= end {
                return Ok(sessions);
            }
            self.interrupt.pause(POLL);
        }
    }

    /// Waits until the proxy's view of a container is as it should be.
    fn wait(
        &self,
        container: &Container,
        failure_reason: &str,
        is_so: impl Fn(Option<&Server>) -> bool,
    ) -> anyhow::Result<()> {
        let address = self.address(container)?;
        let end = Instant::now() + NOTICE;
        loop {
            let servers = self.servers(container);
            let is_over = Instant::now() >= end;
            match &servers {
                Ok(servers) if is_so(servers.iter().find(|it| it.is_at(&address))) => return Ok(()),
                Err(error) if is_over || Exit::of(error) == Exit::Interrupted => return servers.map(drop),
                _ if is_over => {
                    let seconds = NOTICE.as_secs();
                    let problem = Problem::new(format!("the proxy {failure_reason} after {seconds} s"));
                    return Err(Failure::new(Exit::Failed, problem).into());
                }
                _ => self.interrupt.pause(POLL),
            }
        }
    }

    fn servers(&self, from: &Container) -> anyhow::Result<Vec<Server>> {
        let url = self.state.as_deref().unwrap_or_default();
        let args = ["exec", "-i", &from.id, "python3", "-", url];
        let finished = self.client.ask(&args, SCRIPT.as_bytes(), QUICK)?;
        if finished.is_success() {
            return Ok(servers(finished.stdout()));
        }
        let failure_reason = self.client.secrets.redact(&finished.failure_reason());
        let problem = Problem::new(format!("`{url}` does not answer: {failure_reason}"));
        Err(Failure::new(Exit::Failed, problem.hint(format!("{} logs {}", self.client.files.command(), self.name)))
            .into())
    }

    fn address(&self, container: &Container) -> anyhow::Result<String> {
        let address = container.addresses.get(&self.front.network).filter(|address| !address.is_empty());
        address.cloned().ok_or_else(|| {
            let problem = Problem::new(format!("{container} has no address on the network `{}`", self.front.network));
            Failure::new(Exit::Failed, problem).into()
        })
    }
}

impl Server {
    fn is_at(&self, address: &str) -> bool {
        self.address.rsplit_once(':').is_some_and(|(host, _)| host == address)
    }

    /// `HAProxy` calls one up as soon as DNS knows it; only a check makes it stay.
    fn is_in(&self, address: &str) -> bool {
        self.is_at(address) && self.status.starts_with("UP") && self.check.ends_with("L7OK")
    }

    fn is_out(&self) -> bool {
        !self.status.starts_with("UP")
    }
}

/// The servers in the statistics of `HAProxy`: CSV, whose first line names the columns.
fn servers(csv: &str) -> Vec<Server> {
    let mut lines = csv.lines().map(|line| fields(line.trim_start_matches("# ")));
    let columns = lines.next().unwrap_or_default();
    let column = |name: &str| columns.iter().position(|column| *column == name);
    let columns = [column("addr"), column("status"), column("check_status"), column("scur")];
    let [Some(address), Some(status), Some(check), Some(sessions)] = columns else { return Vec::new() };
    let server = |fields: Vec<&str>| {
        Some(Server {
            address: (*fields.get(address)?).to_owned(),
            status: (*fields.get(status)?).to_owned(),
            check: (*fields.get(check)?).to_owned(),
            sessions: fields.get(sessions)?.parse().unwrap_or_default(),
        })
    };
    lines.filter_map(server).filter(|server| !server.address.is_empty()).collect()
}

/// The fields of a line; one with a comma in it stands in double quotes.
fn fields(line: &str) -> Vec<&str> {
    let mut is_quoted = false;
    line.split(|c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_rotation() {
        // As HAProxy 2.6 writes it, most columns left out.
        let csv = "# pxname,svname,scur,status,check_status,last_chk,addr,\nhttp,FRONTEND,2,OPEN,,,,\n\
                   web,web1,3,NOLB,L7OKC,\"no, later\",172.21.0.3:8000,\nweb,web2,0,UP 1/2,* L7OK,,172.21.0.4:8000,\n\
                   web,web3,0,UP,INI,,172.21.0.5:8000,\nweb,web4,0,MAINT (resolution),,,,\n";
        let servers = servers(csv);
        let held =
            Server { address: "172.21.0.3:8000".into(), status: "NOLB".into(), check: "L7OKC".into(), sessions: 3 };
        assert_eq!((servers.len(), &servers[0]), (3, &held));
        assert!(held.is_out() && !held.is_in("172.21.0.3"));
        assert!(servers[1].is_in("172.21.0.4") && !servers[1].is_at("172.21.0"));
        assert!(!servers[2].is_in("172.21.0.5") && !servers[2].is_out());
        assert_eq!(self::servers("<html>"), []);
    }
}
