namespace Couic.Tests.Support;

/// <summary>The folder of the source, above the one from which the tests run.</summary>
internal static class Repository
{
    public static string PathOf(string name)
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "couic.csproj")))
        {
            folder = folder.Parent;
        }

        return Path.Combine(folder!.FullName, name);
    }
}
