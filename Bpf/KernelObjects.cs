using Couic.Bpf.Elf;
using Couic.Native;

namespace Couic.Bpf;

/// <summary>Turns an <see cref="ObjectSpec"/> into descriptors. Descriptors that no caller has taken are closed on disposal.</summary>
internal sealed class KernelObjects : IDisposable
{
    private readonly Dictionary<string, FileDescriptor> _maps = [];
    private FileDescriptor? _btf;
    private FileDescriptor? _program;

    private KernelObjects()
    {
    }

    /// <exception cref="BpfException">The kernel refused.</exception>
    public static KernelObjects Make(ObjectSpec spec)
    {
        var objects = new KernelObjects();
        try
        {
            objects.LoadTypes(spec);
            foreach (MapSpec map in spec.Maps)
            {
                objects.MakeMap(map);
            }

            objects._program = objects.LoadVariant(spec, spec.Program.Name);
            return objects;
        }
        catch
        {
            objects.Dispose();
            throw;
        }
    }

    public FileDescriptor TakeMap(string name)
    {
        _maps.Remove(name, out FileDescriptor? map);
        return map ?? throw ElfFile.Malformed($"no map \"{name}\"");
    }

    /// <summary>Before anything is counted.</summary>
    public int CountCpus() => PossibleCpus.Count(_maps["couic_counters"]);

    public FileDescriptor TakeProgram()
    {
        FileDescriptor program = _program!;
        _program = null;
        return program;
    }

    /// <summary>Loads the program once more, with the constants that the object has now.</summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public FileDescriptor LoadVariant(ObjectSpec spec, string name)
    {
        FileDescriptor? constants = MakeConstants(spec);
        try
        {
            Errno errno = Load(spec, name, constants, 0, out FileDescriptor program, out string log);
            if (errno != Errno.None)
            {
                program.Dispose();
                throw Refused(name, errno, log);
            }

            return program;
        }
        finally
        {
            constants?.Dispose(); // the loaded program keeps the map
        }
    }

    /// <summary>As <see cref="LoadVariant"/>; null where the kernel does not know these flags.</summary>
    public FileDescriptor? TryLoadVariant(ObjectSpec spec, string name, uint flags)
    {
        using FileDescriptor? constants = MakeConstants(spec);
        Errno errno = Load(spec, name, constants, flags, out FileDescriptor program, out _);
        if (errno == Errno.None)
        {
            return program;
        }

        program.Dispose();
        return null;
    }

    public void Dispose()
    {
        _btf?.Dispose();
        _program?.Dispose();
        foreach (FileDescriptor map in _maps.Values)
        {
            map.Dispose();
        }
    }

    private void LoadTypes(ObjectSpec spec)
    {
        // Types only serve bpftool: a kernel that refuses them filters all the same.
        if (BpfSyscall.BtfLoad(spec.Types.Data.Span, out FileDescriptor btf) != Errno.None)
        {
            btf.Dispose();
            return;
        }

        _btf = btf;
    }

    private void MakeMap(MapSpec spec) => _maps.Add(spec.Name, CreateMap(spec));

    private FileDescriptor CreateMap(MapSpec spec)
    {
        var request = new MapRequest(spec.Name, spec.Type, spec.KeySize, spec.ValueSize, spec.MaxEntries, spec.Flags, _btf, spec.BtfKeyType, spec.BtfValueType);
        Errno errno = BpfSyscall.MapCreate(request, out FileDescriptor map);
        if (errno == Errno.EPERM)
        {
            // Below Linux 5.11 maps count against the limit of locked memory, and too little is EPERM as well.
            BpfSyscall.LiftMemoryLimit();
            map.Dispose();
            errno = BpfSyscall.MapCreate(request, out map);
        }

        if (errno != Errno.None)
        {
            map.Dispose();
            throw new BpfException($"create map \"{spec.Name}\" of {spec.MaxEntries} entries: {errno.Text()}{Hint(errno)}", errno);
        }

        return map;
    }

    private FileDescriptor? MakeConstants(ObjectSpec spec)
    {
        if (spec.Constants.Length == 0)
        {
            return null;
        }

        FileDescriptor map = CreateMap(new MapSpec
        {
            Name = ObjectSpec.ConstantsName,
            Type = BpfSyscall.BPF_MAP_TYPE_ARRAY,
            KeySize = sizeof(int),
            ValueSize = (uint)spec.Constants.Length,
            MaxEntries = 1,
            Flags = BpfSyscall.BPF_F_RDONLY_PROG,
            BtfKeyType = 0,
            BtfValueType = spec.Types.Find(BtfKind.Section, ObjectSpec.ConstantsName),
        });
        Errno errno = BpfSyscall.Update(map, [0, 0, 0, 0], spec.Constants);
        errno = errno != Errno.None ? errno : BpfSyscall.Freeze(map);
        if (errno != Errno.None)
        {
            map.Dispose();
            throw new BpfException($"write constants of the xdp program: {errno.Text()}", errno);
        }

        return map;
    }

    private Errno Load(ObjectSpec spec, string name, FileDescriptor? constants, uint flags, out FileDescriptor program, out string log)
    {
        byte[] code = spec.Program.Link(map => map == ObjectSpec.ConstantsName ? constants!.Number : _maps[map].Number);
        var request = new ProgramRequest(name, code, spec.Program.License, _btf, spec.Program.Functions, spec.Program.Lines, flags);
        return BpfSyscall.ProgramLoad(request, out program, out log);
    }

    private static BpfException Refused(string name, Errno errno, string log)
    {
        if (LoadPrivileges.Missing() is { } missing)
        {
            return new BpfException($"load xdp program \"{name}\": {errno.Text()} ({missing})", errno);
        }

        string summary = VerifierLog.Summarize(log);
        return new BpfException($"load xdp program \"{name}\": {errno.Text()}{(summary.Length > 0 ? $": {summary}" : "")}{Hint(errno)}", errno, log);
    }

    private static string Hint(Errno errno) => errno switch
    {
        Errno.EPERM or Errno.EACCES => $" ({LoadPrivileges.Missing() ?? LoadPrivileges.OtherCause})",
        Errno.ENOMEM => " (not enough memory for the kernel's tables: lower the sizes under [limits])",
        Errno.E2BIG => " (too large for the kernel: lower the sizes under [limits])",
        Errno.ENOSYS => " (this kernel has no bpf(2): Linux 5.11 or later with CONFIG_BPF_SYSCALL is needed)",
        _ => "",
    };
}

/// <summary>Finds in what the verifier wrote the one line that says why.</summary>
internal static class VerifierLog
{
    /// <summary>The last line that is neither an instruction, a source line nor a statistic; empty if there is none.</summary>
    public static string Summarize(string log)
    {
        string[] lines = log.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        for (int i = lines.Length - 1; i >= 0; i--)
        {
            if (!IsNoise(lines[i]))
            {
                return lines[i];
            }
        }

        return "";
    }

    private static bool IsNoise(string line) =>
        line[0] == ';'
        || line.StartsWith("processed ", StringComparison.Ordinal)
        || line.StartsWith("verification time", StringComparison.Ordinal)
        || line.StartsWith("stack depth", StringComparison.Ordinal)
        || line.StartsWith("from ", StringComparison.Ordinal)
        || (char.IsAsciiDigit(line[0]) && line.Contains(": (", StringComparison.Ordinal));
}
