namespace Couic.IntegrationTests.Harness;

/// <summary>One daemon for the tests of a class that leave it as they found it.</summary>
public sealed class SharedDaemon : IDisposable
{
    public SharedDaemon() => Daemon = Daemon.Start(Lab);

    public Lab Lab { get; } = new();

    public Daemon Daemon { get; }

    public ApiClient Api => Daemon.Api;

    public void Dispose()
    {
        Daemon.Dispose();
        Lab.Dispose();
    }
}
