//! Which processes a server on this machine has. Linux, by `/proc`; elsewhere a person names the process.

use std::fs;

/// Most processes of one server.
const MOST: usize = 256;

/// The process that listens on a port of this machine, where it belongs to this user and the system
/// tells; of several that share the port, the first one started.
#[must_use]
pub fn listener(port: u16) -> Option<u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables.map(|path| fs::read_to_string(path).unwrap_or_default());
    let sockets: Vec<String> = tables
        .iter()
        .flat_map(|table| listening(table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let mut pids: Vec<u32> = fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    pids.into_iter().find(|&pid| holds(pid, &sockets))
}

/// Inodes of sockets that listen on a port. Source: `proc_pid_net(5)`; state `0A` is LISTEN.
fn listening(table: &str, port: u16) -> Vec<u64> {
    let lines = table.lines().skip(1);
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let ours = u16::from_str_radix(local, 16) == Ok(port) && fields.get(3) == Some(&"0A");
        fields.get(9)?.parse().ok().filter(|_| ours)
    };
    lines.filter_map(inode).collect()
}

/// Whether a process has one of these sockets open.
fn holds(pid: u32, sockets: &[String]) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    let targets = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let mut targets = targets;
    targets.any(|target| {
        target
            .to_str()
            .is_some_and(|name| sockets.iter().any(|s| s == name))
    })
}

/// A process and those that it started, and they in turn: a server may compute in another process than
/// the one that listens. Where the system does not tell, the process alone.
#[must_use]
pub fn family(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let mut at = 0;
    while at < family.len() && family.len() < MOST {
        for child in children(family[at]) {
            if !family.contains(&child) {
                family.push(child);
            }
        }
        at += 1;
    }
    family
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
    let mut found = Vec::new();
    for list in lists {
        found.extend(
            list.split_whitespace()
                .filter_map(|pid| pid.parse::<u32>().ok()),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_socket_is_told_from_a_connection() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1 0\n\
            1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000 0 0 4712 1 0\n\
            2: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4713 1 0\n\
            3: garbage\n";
        assert_eq!(listening(table, 8080), [4711]);
        assert_eq!(listening("", 8080), [0; 0]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_found_by_its_port_and_has_its_children() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let own = std::process::id();
        assert_eq!(listener(socket.local_addr().unwrap().port()), Some(own));
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        assert!(family(own).contains(&child.id()), "{:?}", family(own));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(family(u32::MAX), [u32::MAX]);
    }
}
