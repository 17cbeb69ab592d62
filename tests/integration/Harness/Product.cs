using System.Diagnostics;

namespace Couic.IntegrationTests.Harness;

/// <summary>The published executable under test.</summary>
public static class Product
{
    /// <summary>$COUIC_BINARY, else out/couic of this tree. A missing one fails the tests that want it, it skips none.</summary>
    public static string Binary { get; } = Environment.GetEnvironmentVariable("COUIC_BINARY") ?? Path.Combine(Tree, "out", "couic");

    /// <summary>The root of the source tree.</summary>
    public static string Tree
    {
        get
        {
            DirectoryInfo? folder = new(AppContext.BaseDirectory);
            while (folder != null && !File.Exists(Path.Combine(folder.FullName, "couic.csproj")))
            {
                folder = folder.Parent;
            }

            return folder?.FullName ?? throw new InvalidOperationException("find source tree: no couic.csproj above the tests");
        }
    }

    /// <summary>Runs <c>couic</c> with arguments to its end.</summary>
    public static Shell.Result Run(NetSpace? space, params string[] arguments) => Shell.Run(space, Info(arguments));

    public static ProcessStartInfo Info(params string[] arguments)
    {
        ProcessStartInfo start = new(Binary, arguments);
        start.Environment.Remove("NOTIFY_SOCKET");
        start.Environment.Remove("XDG_RUNTIME_DIR");
        return start;
    }
}
