using Couic.Native;

namespace Couic.Bpf;

/// <summary>What <see cref="XdpLoader"/> has made: a program to attach, and the maps that it reads.</summary>
public sealed class LoadedPlane : IDisposable
{
    internal LoadedPlane(FileDescriptor program, PlaneMaps maps)
    {
        Program = program;
        Maps = maps;
    }

    /// <summary>For <see cref="XdpAttacher"/>.</summary>
    public FileDescriptor Program { get; }

    /// <summary>For <see cref="BpfDataPlane"/>.</summary>
    public PlaneMaps Maps { get; }

    public void Dispose()
    {
        Program.Dispose();
        Maps.Dispose();
    }
}
