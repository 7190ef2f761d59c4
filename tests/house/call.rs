// SPDX-License-Identifier: MIT
//! The shared library from Rust: storage that Rust owns, calls both ways, one interrupt from its
//! post to its EOI. Prints what it saw; exits with 1 if that is not what it should be.
use std::os::raw::{c_int, c_void};

const LW_LAPIC_SIZE: usize = 2048;
const LW_LAPIC_SVR: u32 = 0x0f0;
const LW_SVR_ENABLE: u32 = 0x100;
const LW_POST_NOTIFY: c_int = 1;

#[repr(C, align(64))]
struct Lapic([u8; LW_LAPIC_SIZE]);

type Unused = Option<extern "C" fn()>;

#[repr(C)]
struct Ops {
    eoi: Option<extern "C" fn(*mut c_void, u32, u8, bool)>,
    changed: Unused,
    broadcast: Unused,
    ipi: Unused,
    signal: Unused,
    deadline: Unused,
    threshold: Unused,
}

#[repr(C)]
struct Clock {
    bus_ns: u32,
    bus_ticks: u32,
    tsc_khz: u32,
}

#[repr(C)]
struct Config {
    ops: *const Ops,
    ctx: *mut c_void,
    vcpu: u32,
    id: u32,
    x2apic: bool,
    xapic_only: bool,
    bsp: bool,
    phys_bits: u8,
    clock: Clock,
}

extern "C" {
    fn lw_lapic_init(storage: *mut Lapic, config: *const Config) -> c_int;
    fn lw_lapic_id(lapic: *const Lapic) -> u32;
    fn lw_lapic_write(lapic: *mut Lapic, offset: u32, value: u32);
    fn lw_lapic_post(lapic: *mut Lapic, vector: u8, level: bool) -> c_int;
    fn lw_lapic_accept(lapic: *mut Lapic) -> c_int;
    fn lw_lapic_eoi(lapic: *mut Lapic) -> c_int;
}

#[derive(Debug, Default, PartialEq)]
struct Seen {
    eois: u32,
    vcpu: u32,
    vector: u8,
    broadcast: bool,
}

extern "C" fn on_eoi(ctx: *mut c_void, vcpu: u32, vector: u8, broadcast: bool) {
    // ctx is the Seen of main(), which outlives the LAPIC and is not used meanwhile.
    let seen = unsafe { &mut *(ctx as *mut Seen) };
    *seen = Seen { eois: seen.eois + 1, vcpu, vector, broadcast };
}

fn main() {
    let mut seen = Seen::default();
    let ops = Ops {
        eoi: Some(on_eoi),
        changed: None,
        broadcast: None,
        ipi: None,
        signal: None,
        deadline: None,
        threshold: None,
    };
    let config = Config {
        ops: &ops,
        ctx: &mut seen as *mut Seen as *mut c_void,
        vcpu: 7,
        id: 3,
        x2apic: false,
        xapic_only: false,
        bsp: true,
        phys_bits: 0,
        clock: Clock { bus_ns: 0, bus_ticks: 0, tsc_khz: 0 },
    };
    let mut storage = Box::new(Lapic([0xa5; LW_LAPIC_SIZE]));
    let lapic: *mut Lapic = &mut *storage;

    unsafe {
        assert_eq!(lw_lapic_init(std::ptr::null_mut(), &config), -22);
        assert_eq!(lw_lapic_init(lapic, &config), 0);
        assert_eq!(lw_lapic_id(lapic), 3);
        lw_lapic_write(lapic, LW_LAPIC_SVR, LW_SVR_ENABLE | 0xff);
        assert_eq!(lw_lapic_post(lapic, 0x31, false), LW_POST_NOTIFY);
        assert_eq!(lw_lapic_accept(lapic), 0x31);
        assert_eq!(lw_lapic_accept(lapic), -1);
        assert_eq!(lw_lapic_eoi(lapic), 0x31);
        assert_eq!(lw_lapic_eoi(lapic), -1);
    }
    assert_eq!(seen, Seen { eois: 1, vcpu: 7, vector: 0x31, broadcast: true });
    println!("accepted and ended 0x31 on vCPU 7");
}
