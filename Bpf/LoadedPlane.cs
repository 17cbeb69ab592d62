using Couic.Native;

namespace Couic.Bpf;

/// <summary>What <see cref="XdpLoader"/> has made: the programs to attach, and the maps that they read.</summary>
public sealed class LoadedPlane : IDisposable
{
    internal LoadedPlane(XdpPrograms programs, PlaneMaps maps)
    {
        Programs = programs;
        Maps = maps;
    }

    /// <summary>For <see cref="XdpAttacher"/>.</summary>
    public XdpPrograms Programs { get; }

    /// <summary>For <see cref="BpfDataPlane"/>.</summary>
    public PlaneMaps Maps { get; }

    public void Dispose()
    {
        Programs.Dispose();
        Maps.Dispose();
    }
}
