namespace Couic.IntegrationTests.Harness;

/// <summary>What a test wants of its daemon. All but the name has a default.</summary>
public sealed record DaemonOptions
{
    /// <summary>Names its folder under the lab's; a second daemon needs another one.</summary>
    public string Name { get; init; } = "couic";

    /// <summary>Where it runs; inside the lab unless said otherwise.</summary>
    public NetSpace? Space { get; init; }

    public string Mode { get; init; } = "generic";

    public string[] Interfaces { get; init; } = [Lab.Interface];

    public Owner Owner { get; init; } = Owner.Nobody;

    /// <summary>Lines at the end of the configuration's top table.</summary>
    public string Top { get; init; } = "";

    /// <summary>Tables at the end of the configuration.</summary>
    public string Tables { get; init; } = "";

    public string LogDirectory { get; init; } = "-";

    /// <summary>Further lines of the table <c>[logging]</c>.</summary>
    public string Logging { get; init; } = "";

    /// <summary>A program, with arguments, that becomes the daemon: it executes what follows them.</summary>
    public string[] Launcher { get; init; } = [];

    public Dictionary<string, string> Environment { get; init; } = [];
}
